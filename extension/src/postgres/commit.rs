//! Commits that wait for the disk, so that a crash does not forget a slot that a worker was told of.

use pgrx::pg_sys;

/// Makes this transaction's commit wait for the disk, and for a synchronous standby where there is
/// one, even if the session turned that off: a slot that a crash forgets would be taken twice.
pub fn synchronously() {
    const ON: i32 = pg_sys::SyncCommitLevel::SYNCHRONOUS_COMMIT_REMOTE_FLUSH as i32;
    unsafe {
        if pg_sys::synchronous_commit < ON {
            pg_sys::set_config_option(
                c"synchronous_commit".as_ptr(),
                c"on".as_ptr(),
                pg_sys::GucContext::PGC_USERSET,
                pg_sys::GucSource::PGC_S_SESSION,
                pg_sys::GucAction::GUC_ACTION_LOCAL,
                true,
                0,
                false,
            );
        }
        // And if the rest of the transaction turns it off again.
        pg_sys::ForceSyncCommit();
    }
}
