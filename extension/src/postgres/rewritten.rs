//! Tables that were changed after a transaction took its snapshot.
//!
//! An `ALTER TABLE` that writes a table anew writes its rows as of its own transaction, and a `TRUNCATE` leaves none: on
//! an older snapshot, as REPEATABLE READ and SERIALIZABLE keep one, the table is empty. The journal would then know of no
//! operation, and the gate would grant a second slot for the same prospect. PostgreSQL calls such commands "not
//! MVCC-safe" and checks nothing; so we do. Every one of them changes the table's row in `pg_class`, which, unlike
//! `VACUUM` and `ANALYZE`, leaves the number of its transaction there. It may have been a harmless change as well; the
//! transaction that is asked to try again then loses a moment.

use crate::postgres::list::cells;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::ffi::CStr;

/// Whether this transaction keeps one snapshot to its end. At READ COMMITTED no snapshot is older than the lock on a
/// table that is read on it, so there is nothing to check.
pub(super) fn has_fixed_snapshot() -> bool {
    unsafe { pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32 }
}

/// The transaction that last changed what the catalog says about the table, which is locked.
pub(super) fn changed_by(table: pg_sys::Oid) -> pg_sys::TransactionId {
    unsafe {
        let class = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, table.into());
        if class.is_null() {
            // Gone: opening it says so.
            return pg_sys::FrozenTransactionId;
        }
        let changed_by = pg_sys::HeapTupleHeaderGetXmin((*class).t_data);
        pg_sys::ReleaseSysCache(class);
        changed_by
    }
}

/// Refuses with `40001` to read a table, which is locked, on a snapshot that is older than its last change.
pub(super) unsafe fn refuse_younger(
    table: pg_sys::Oid,
    changed_by: pg_sys::TransactionId,
    snapshot: pg_sys::Snapshot,
) {
    unsafe {
        if !pg_sys::XidInMVCCSnapshot(changed_by, snapshot)
            || pg_sys::TransactionIdIsCurrentTransactionId(changed_by)
        {
            return;
        }
        let name = pg_sys::get_rel_name(table);
        let name = if name.is_null() { c"?" } else { CStr::from_ptr(name) }.to_string_lossy();
        let message =
            format!("could not serialize access: table \"{name}\" was changed after the snapshot was taken");
        ErrorReport::new(PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE, message, "sendgate")
            .set_detail("Its rows may have been written anew, and an older snapshot would not see them.")
            .set_hint("Try the transaction again.")
            .report(PgLogLevel::ERROR);
    }
}

/// The same for the tables of a statement, which are locked, on the transaction's snapshot.
pub(super) unsafe fn refuse_younger_tables_of(plan: pg_sys::SPIPlanPtr) {
    unsafe {
        let snapshot = pg_sys::GetTransactionSnapshot();
        for source in cells(pg_sys::SPI_plan_get_plan_sources(plan)) {
            let source: *mut pg_sys::CachedPlanSource = source.ptr_value.cast();
            for table in cells((*source).relationOids).map(|cell| cell.oid_value) {
                // The catalog's own tables are never written anew by transactions.
                if table.to_u32() >= pg_sys::FirstNormalObjectId {
                    refuse_younger(table, changed_by(table), snapshot);
                }
            }
        }
    }
}
