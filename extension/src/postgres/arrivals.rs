//! Work that arrives for an account without holding it, and the account's end, exclude each other.
//!
//! `enqueue` holds no account, so that a list of a million prospects delays no sender. An account that is removed
//! meanwhile would leave that work behind, which nothing ever finds. So a call that brings work locks one of a
//! few objects that exist only in the lock table, chosen by the account's id, in a mode that all may have
//! together; the call that ends an account locks it alone.

use crate::postgres::catalog;
use crate::postgres::caught::calling;
use crate::postgres::error::Result;
use crate::postgres::raw;
use crate::postgres::statement::waiting;
use pgrx::pg_sys;
use std::ffi::CStr;

/// A transaction that brings work for every account takes no more locks than this.
const OBJECTS: u32 = 64;

/// How PostgreSQL names the call on a standby and in a read-only transaction.
const COMMAND: &CStr = c"INSERT";

/// Work arrives for the account. Look afterwards, on a new snapshot, whether the account is there.
///
/// # Errors
/// `SG301` when it is being removed for too long.
pub fn lock(account: &str) -> Result<()> {
    lock_object(account, pg_sys::ShareLock)
}

/// The account ends: waits for work that is arriving, and lets none arrive until the transaction ends.
///
/// # Errors
/// `SG301` when a transaction that brought work stays open for too long.
pub fn exclude(account: &str) -> Result<()> {
    lock_object(account, pg_sys::ExclusiveLock)
}

fn lock_object(account: &str, mode: u32) -> Result<()> {
    let hash = account.bytes().fold(5381u32, |hash, byte| hash.wrapping_mul(33) ^ u32::from(byte));
    // From 1 on: 0 is the table itself.
    let object = (hash % OBJECTS + 1) as pg_sys::uint16;
    waiting(|| unsafe {
        // A standby has no such lock, and would say so instead of that it is read-only.
        pg_sys::PreventCommandIfReadOnly(COMMAND.as_ptr());
        let table = catalog::oid(c"accounts");
        let mode = mode as pg_sys::LOCKMODE;
        calling(|| raw::LockDatabaseObject(pg_sys::RelationRelationId, table, object, mode));
    })
}
