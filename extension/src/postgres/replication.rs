//! Whether rows come from another server.

use pgrx::pg_sys;

/// Whether this is a worker that applies what another server has committed: PostgreSQL's own, or one of an
/// extension that replicates in the same way. A client's session is none, whatever it sets.
pub fn is_apply_worker() -> bool {
    let (kind, role) = unsafe { (pg_sys::MyBackendType, pg_sys::SessionReplicationRole) };
    kind == pg_sys::BackendType::B_BG_WORKER && role == pg_sys::SESSION_REPLICATION_ROLE_REPLICA as i32
}
