//! Whether the call is in a transaction that goes on when its statement ends.

use pgrx::pg_sys;
use pgrx::pg_sys::{Portal, PortalStatus, SubTransactionId};

/// Of a transaction itself: `TopSubTransactionId` in C.
const TOP: SubTransactionId = 1;

/// Whether this statement is in a transaction block: one that a client began, a simple query of several
/// statements, or a pipeline after its first statement. A function, DO block, procedure or trigger of one
/// statement that commits by itself is in none.
///
/// A subtransaction hides the block around it from `IsTransactionBlock`: a savepoint is in a block, while the
/// EXCEPTION clause of a function may be in none. There the portal of the client's statement tells the two
/// apart. Where even that cannot (a statement of the extended protocol whose function has such a clause), the
/// answer is no: a missed warning is better than a false refusal.
pub fn is_in_block() -> bool {
    if is_later_in_pipeline() {
        return true;
    }
    if unsafe { pg_sys::GetCurrentTransactionNestLevel() } <= 1 {
        return unsafe { pg_sys::IsTransactionBlock() };
    }
    let Some(portal) = clients_portal() else { return false };
    let portal = unsafe { &*portal };
    if portal.createSubid != TOP {
        return true;
    }
    // In the simple protocol, a transaction of one statement begins at the same instant as the statement.
    let begun_before = unsafe { pg_sys::GetCurrentTransactionStartTimestamp() } < portal.creation_time;
    let is_simple_protocol = !portal.visible;
    is_simple_protocol && begun_before
}

/// Whether the client sent a statement of this transaction before, without a Sync between the two. PostgreSQL 18 makes
/// that a block, which `IsTransactionBlock` sees; earlier versions only refuse there what must not be in one.
fn is_later_in_pipeline() -> bool {
    unsafe { pg_sys::MyXactFlags & pg_sys::XACT_FLAGS_PIPELINING as i32 != 0 }
}

/// The portal of the statement that the client sent, and not one that a function opened.
fn clients_portal() -> Option<Portal> {
    let is_active =
        |portal: &Portal| !portal.is_null() && unsafe { (**portal).status } == PortalStatus::PORTAL_ACTIVE;
    let unnamed = unsafe { pg_sys::GetPortalByName(c"".as_ptr()) };
    Some(unnamed).filter(is_active).or(Some(unsafe { pg_sys::ActivePortal }).filter(is_active))
}
