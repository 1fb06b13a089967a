//! What we tell the planner about a column: how many different values it has, but not which.

use super::Reads;
use pgrx::{IntoDatum, pg_guard, pg_sys};

/// Negative: this share of the rows.
const UNIQUE: f32 = -1.0;

/// PostgreSQL's own guess.
const UNKNOWN: f32 = 0.0;

/// Each account has a hundred rows, and of each prospect one at most: so a key that begins with the account
/// beats any order by time, by action or by campaign, and one with the prospect in it the one without.
const ACCOUNTS: f32 = 10_000.0;

const PROSPECTS: f32 = 200.0;

const CAMPAIGNS: f32 = 1_000.0;

const DAYS: f32 = 100.0;

/// Actions, states, kinds, reasons.
const WORDS: f32 = 5.0;

fn different_values(column: &[u8]) -> Option<f32> {
    match column {
        b"id" | b"operation_id" | b"ticket_id" | b"alert_id" => Some(UNIQUE),
        b"account_id" => Some(ACCOUNTS),
        b"prospect_id" => Some(PROSPECTS),
        b"campaign_id" => Some(CAMPAIGNS),
        b"counted_on" | b"day" => Some(DAYS),
        b"action" | b"state" | b"status" | b"kind" | b"event_type" | b"reason" | b"tier" => Some(WORDS),
        _ => None,
    }
}

/// Rows of the journal arrive in the order of their time, and so those of one time lie beside each other.
const ORDERED: &[u8] = b"reserved_at";

/// As a row of pg_statistic, or none where PostgreSQL's own defaults do.
pub(super) unsafe fn tell(
    relation: pg_sys::Oid,
    number: pg_sys::AttrNumber,
    reads: Reads,
    found: &mut pg_sys::VariableStatData,
) {
    unsafe {
        let name = pg_sys::get_attname(relation, number, true);
        let name = if name.is_null() { b"" } else { std::ffi::CStr::from_ptr(name).to_bytes() };
        found.statsTuple = match different_values(name) {
            Some(different) => row(different, None),
            // PostgreSQL asks for it where it thinks of a BRIN index.
            None if reads == Reads::OfATime && name == ORDERED => row(UNKNOWN, Some(1.0)),
            None => std::ptr::null_mut(),
        };
        found.freefunc = Some(free);
        found.acl_ok = true;
    }
}

unsafe fn row(different: f32, correlation: Option<f32>) -> pg_sys::HeapTuple {
    const COLUMNS: usize = pg_sys::Natts_pg_statistic as usize;
    const DIFFERENT: usize = pg_sys::Anum_pg_statistic_stadistinct as usize - 1;
    // The last ones, arrays of numbers and of values, are NULL; 0 is "unknown" in all before.
    const ARRAYS: usize = pg_sys::Anum_pg_statistic_stanumbers1 as usize - 1;
    const KIND: usize = pg_sys::Anum_pg_statistic_stakind1 as usize - 1;
    let mut values = [pg_sys::Datum::from(0usize); COLUMNS];
    let mut nulls = [false; COLUMNS];
    values[DIFFERENT] = pg_sys::Datum::from(different.to_bits() as usize);
    nulls[ARRAYS..].fill(true);
    if let Some(numbers) = correlation.and_then(|correlation| vec![correlation].into_datum()) {
        values[KIND] = pg_sys::Datum::from(pg_sys::STATISTIC_KIND_CORRELATION as usize);
        (values[ARRAYS], nulls[ARRAYS]) = (numbers, false);
    }
    unsafe {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let statistics = pg_sys::table_open(pg_sys::StatisticRelationId, lock);
        let row = pg_sys::heap_form_tuple((*statistics).rd_att, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::table_close(statistics, lock);
        row
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn free(row: pg_sys::HeapTuple) {
    unsafe { pg_sys::heap_freetuple(row) };
}
