//! Tables of ours that are as the extension made them: what is read and written below SQL has to be of PostgreSQL's own
//! kind.

use crate::postgres::caught::calling;
use crate::postgres::raw;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};
use std::ffi::CStr;

const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

/// Passes a table of PostgreSQL's own kind whose rows are all in it. What has its rows elsewhere (a partitioned
/// or foreign table, a view) has no methods to read them by, and using those that are not there ends the
/// server; rows of a table that inherits from it are in no index of its own. It stays locked, so that what is looked
/// up next is of the same table; false where it is gone since it was found, and another may have its name.
pub(super) unsafe fn is_plain(table: pg_sys::Oid, name: &CStr) -> bool {
    const MODE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    let what = unsafe {
        let relation = pg_sys::try_relation_open(table, MODE);
        let Some(class) = relation.as_ref().map(|relation| &*relation.rd_rel) else {
            return false;
        };
        let what = if class.relkind as u8 != pg_sys::RELKIND_RELATION {
            Some("It is a view, a partitioned table or a foreign one: its rows are not in it.")
        } else if class.relam != pg_sys::HEAP_TABLE_AM_OID {
            Some("It has an access method other than heap.")
        } else if class.relhassubclass && has_heirs(table) {
            Some("Other tables inherit from it, and their rows are in none of its indexes.")
        } else if class.relrowsecurity && class.relforcerowsecurity {
            Some(
                "Its row security is forced on its owner too, and hides its rows from the gate's statements.",
            )
        } else {
            None
        };
        pg_sys::relation_close(relation, KEEP);
        what
    };
    if let Some(what) = what {
        let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
        let message = format!("sendgate.{} is no plain table", name.to_string_lossy());
        ErrorReport::new(code, message, "sendgate")
            .set_detail(format!("{what} The gate reads it by an index, below the planner."))
            .set_hint("Put the table that the extension made back in its place, as it was.")
            .report(PgLogLevel::ERROR);
    }
    true
}

/// Whether tables inherit from this one.
unsafe fn has_heirs(table: pg_sys::Oid) -> bool {
    const UNLOCKED: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;
    unsafe { !calling(|| raw::find_inheritance_children(table, UNLOCKED)).is_null() }
}
