//! `suppressions`: prospects whom no account may write to.
//!
//! Nearly always there are none, and then no decision looks: a session remembers that the list is empty
//! until a change of it commits. A change is told through a relation that no session ever opens, the type
//! `suppression_signal`: the table's own would make every session look up its tables anew.

use crate::postgres::catalog;
use crate::postgres::error::Result;
use crate::postgres::index_scan::{self, Lookup, key};
use crate::postgres::invalidation::Watch;
use crate::postgres::param::params;
use crate::postgres::row::Row;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::Suppression;
use std::cell::Cell;
use std::ffi::CStr;

const SIGNAL: &CStr = c"suppression_signal";

/// Any row of the table.
static ANY: Lookup = Lookup::new(c"suppressions", &[], "prospect_id");

static OF_PROSPECT: Lookup =
    Lookup::new(c"suppressions", &[key::text(c"prospect_id")], "suppressed_at, until");

/// A prospect's suppression. By the clock it may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suppressed {
    /// Since when, which tells one suppression from the next.
    pub since: Instant,
    /// What the rule looks at.
    pub rule: Suppression,
}

fn read(row: &mut Row) -> Suppressed {
    Suppressed { since: row.instant(), rule: Suppression { until: row.nullable_instant() } }
}

thread_local! {
    /// Whether the table has rows, with the number of changes from before that was looked at.
    static HAS_ROWS: Cell<Option<(u64, bool)>> = const { Cell::new(None) };
    /// The transaction and subtransaction that have told of a change last: once is enough.
    static TOLD: Cell<(pg_sys::TransactionId, pg_sys::SubTransactionId)> =
        const { Cell::new((pg_sys::InvalidTransactionId, 0)) };
}

/// What stands for the list.
pub static WATCHED: Watch = Watch::new();

/// Tells every session, when the transaction commits, that the list has changed; this one at once.
pub fn tell() {
    let this = unsafe { (pg_sys::GetTopTransactionIdIfAny(), pg_sys::GetCurrentSubTransactionId()) };
    // A long list in one transaction would otherwise fill the queue of all sessions.
    if TOLD.replace(this) != this || this.0 == pg_sys::InvalidTransactionId {
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(catalog::oid(SIGNAL)) };
    }
    WATCHED.changed();
}

/// A number that changes whenever the list does, so that a change between a look and a write is noticed.
pub fn changes() -> u64 {
    WATCHED.changes()
}

fn has_rows() -> Result<bool> {
    loop {
        let before = changes();
        if let Some((_, known)) = HAS_ROWS.get().filter(|(changes, _)| *changes == before) {
            return Ok(known);
        }
        WATCHED.replace(vec![catalog::oid(SIGNAL)]);
        let found = index_scan::latest(&[&ANY], || Ok(ANY.one(&[], |_| ()).is_some()))?;
        if changes() == before {
            HAS_ROWS.set(Some((before, found)));
            return Ok(found);
        }
    }
}

/// The prospect's suppression as of the last commit, also at REPEATABLE READ. No look where the list is empty.
///
/// # Errors
/// `SG301` when another session has the table locked for too long.
pub fn of(prospect: &str) -> Result<Option<Suppressed>> {
    if !has_rows()? {
        return Ok(None);
    }
    index_scan::latest(&[&OF_PROSPECT], || Ok(OF_PROSPECT.one(params![prospect], read)))
}

/// The suppressions of these prospects, in their order.
///
/// # Errors
/// As [`of`].
pub fn of_many<'a>(prospects: impl Iterator<Item = &'a str>) -> Result<Vec<Option<Suppressed>>> {
    if !has_rows()? {
        return Ok(prospects.map(|_| None).collect());
    }
    let read = || Ok(prospects.map(|prospect| OF_PROSPECT.one(params![prospect], read)).collect());
    index_scan::latest(&[&OF_PROSPECT], read)
}

/// Whether the prospect is suppressed at this instant.
///
/// # Errors
/// As [`of`].
pub fn refuses(prospect: &str, now: Instant) -> Result<bool> {
    Ok(of(prospect)?.is_some_and(|found| found.rule.refuses(now)))
}
