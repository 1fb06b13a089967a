//! Notices when something that was looked up in the catalog is no longer as it was: dropped with the
//! extension and made anew, altered by an upgrade, indexed anew by a DBA.
//!
//! Code that keeps an OID keeps the number of the [`generation`] with it, and looks the OID up again when
//! the number has changed. PostgreSQL reports every change before it grants the lock that makes using the
//! relation safe.

use pgrx::{PgLogLevel, PgSqlErrorCode, ereport, pg_sys};
use std::cell::{Cell, RefCell};
use std::ffi::CStr;

thread_local! {
    static GENERATION: Cell<u64> = const { Cell::new(1) };
    static WATCHED: RefCell<Vec<pg_sys::Oid>> = const { RefCell::new(Vec::new()) };
}

/// Listens for changes; called when the library is loaded.
pub fn watch() {
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null()) };
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn relation_changed(_arg: pg_sys::Datum, relation: pg_sys::Oid) {
    let ours = relation == pg_sys::InvalidOid
        || WATCHED.with(|watched| watched.try_borrow().map_or(true, |watched| watched.contains(&relation)));
    if ours {
        GENERATION.set(GENERATION.get() + 1);
    }
}

/// A number that changes whenever a relation that was [`relation`]'s answer does.
pub(super) fn generation() -> u64 {
    GENERATION.get()
}

/// The OID of a relation of the schema `sendgate`, watched from now on.
pub(super) fn relation(name: &CStr) -> pg_sys::Oid {
    let oid = oid(name);
    watch_relation(oid);
    oid
}

/// The OID of a relation of the schema `sendgate` at this moment.
pub fn oid(name: &CStr) -> pg_sys::Oid {
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(c"sendgate".as_ptr(), false);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    if oid == pg_sys::InvalidOid {
        ereport!(
            PgLogLevel::ERROR,
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("relation \"sendgate.{}\" does not exist", name.to_string_lossy())
        );
    }
    oid
}

/// Watches a relation from now on.
pub(super) fn watch_relation(oid: pg_sys::Oid) {
    WATCHED.with_borrow_mut(|watched| {
        if !watched.contains(&oid) {
            watched.push(oid);
        }
    });
}
