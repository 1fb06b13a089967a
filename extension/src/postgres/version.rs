//! Whether this library and the SQL in the database are of one version.
//!
//! They part in two ways: a new library is installed and the database not yet updated; or it is updated
//! while a session goes on with the library that it has loaded, for as long as it lives, and with
//! `shared_preload_libraries` until the server is restarted. Tables may then mean something else than
//! the rules here believe, so sendgate refuses. Readings, and what checks or guards a row that is
//! being restored, answer under any version.

use crate::postgres::catalog;
use crate::postgres::caught::calling;
use crate::postgres::error::Result;
use crate::postgres::raw;
use crate::postgres::statement::waiting;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{FromDatum, PgLogLevel, PgSqlErrorCode};
use std::cell::Cell;

/// The version of this library, and of the SQL that goes with it.
const LIBRARY: &str = env!("CARGO_PKG_VERSION");

thread_local! {
    /// The catalog's generation in which both were last found to be of one version.
    static AGREED: Cell<u64> = const { Cell::new(0) };
}

/// Refuses with `55000` under SQL of another version. What it found holds until a relation that this
/// session knows changes, and every upgrade script changes `accounts`.
pub fn check() {
    let generation = catalog::generation();
    if AGREED.get() != generation {
        compare();
        AGREED.set(generation);
    }
}

/// The same, and lets no upgrade begin until the transaction ends. An upgrade locks `accounts` before any
/// other table, and so does this function, so the two cannot deadlock.
///
/// # Errors
/// `SG301` when an upgrade, or a session that it waits for, takes too long.
pub fn check_past_upgrades() -> Result<()> {
    const MODE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    check();
    let accounts = catalog::relation(c"accounts");
    waiting(|| unsafe { calling(|| raw::LockRelationOid(accounts, MODE)) })?;
    check();
    Ok(())
}

#[cold]
fn compare() {
    catalog::relation(c"accounts");
    match installed() {
        Some(sql) if sql == LIBRARY => {}
        sql => refuse(sql.as_deref()),
    }
}

fn refuse(sql: Option<&str>) -> ! {
    let sql_is_older = sql.is_some_and(|sql| numbers(sql) < numbers(LIBRARY));
    let hint = if sql_is_older {
        "Run ALTER EXTENSION sendgate UPDATE in this database, as a superuser."
    } else {
        "Install the library of that version and connect anew; if sendgate is in shared_preload_libraries, restart the server."
    };
    let message = match sql {
        Some(sql) => format!("sendgate's SQL is version {sql}, its library {LIBRARY}"),
        None => format!("sendgate's library {LIBRARY} finds no extension sendgate in this database"),
    };
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    ErrorReport::new(code, message, "sendgate")
        .set_detail(
            "One may have rules or columns that the other does not know, so nothing is decided or written.",
        )
        .set_hint(hint)
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// The parts of a version, to be compared; what is no number counts as 0.
fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|part| part.parse().unwrap_or(0)).collect()
}

/// The version that the database's catalog names, as last committed, whatever this transaction's snapshot.
fn installed() -> Option<String> {
    const MODE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    let (name, version) = (pg_sys::Anum_pg_extension_extname, pg_sys::Anum_pg_extension_extversion);
    let mut key = pg_sys::ScanKeyData::default();
    unsafe {
        let equal = pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber;
        let ours = pg_sys::Datum::from(c"sendgate".as_ptr());
        pg_sys::ScanKeyInit(&mut key, name as pg_sys::AttrNumber, equal, pg_sys::F_NAMEEQ.into(), ours);
        let table = pg_sys::table_open(pg_sys::ExtensionRelationId, MODE);
        let index = pg_sys::Oid::from_u32(pg_sys::ExtensionNameIndexId);
        let scan = pg_sys::systable_beginscan(table, index, true, std::ptr::null_mut(), 1, &mut key);
        let tuple = pg_sys::systable_getnext(scan);
        let mut null = true;
        let found = (!tuple.is_null())
            .then(|| pg_sys::heap_getattr(tuple, version as i32, (*table).rd_att, &mut null))
            .and_then(|datum| String::from_datum(datum, null));
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(table, MODE);
        found
    }
}
