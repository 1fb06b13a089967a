//! The actor that logs name: the session's user, or the operator whom the daemon names.

use crate::postgres::gucs;
use pgrx::pg_sys;
use std::ffi::CStr;

/// The role whose members are believed about `sendgate.actor`.
const DAEMON_ROLE: &CStr = c"sendgate_daemon";

/// The role whose members may do what senders may not.
const OPERATOR_ROLE: &CStr = c"sendgate_operator";

/// Longest actor in a log, in characters.
const ACTOR_CHARACTERS_MAX: usize = 200;

/// The name that goes into the logs. Never the current user: inside a SECURITY DEFINER function
/// that is always the owner.
pub fn name() -> String {
    let session = unsafe { pg_sys::GetSessionUserId() };
    if let Some(claimed) = gucs::claimed_actor() {
        let daemon = role(DAEMON_ROLE);
        let believed =
            daemon != pg_sys::InvalidOid && unsafe { pg_sys::is_member_of_role_nosuper(session, daemon) };
        if believed {
            return claimed.chars().take(ACTOR_CHARACTERS_MAX).collect();
        }
    }
    unsafe {
        let name = pg_sys::GetUserNameFromId(session, true);
        if name.is_null() {
            format!("role {session}")
        } else {
            CStr::from_ptr(name).to_string_lossy().into_owned()
        }
    }
}

/// Whether the caller is an operator, the daemon on behalf of one, or a superuser: the role that calls, not the
/// owner of this SECURITY DEFINER function.
pub fn is_operator() -> bool {
    let caller = unsafe { pg_sys::GetOuterUserId() };
    let has =
        |role: pg_sys::Oid| role != pg_sys::InvalidOid && unsafe { pg_sys::has_privs_of_role(caller, role) };
    has(role(OPERATOR_ROLE)) || has(role(DAEMON_ROLE))
}

fn role(name: &CStr) -> pg_sys::Oid {
    unsafe { pg_sys::get_role_oid(name.as_ptr(), true) }
}
