//! `home_database`: the database in which the books were written. In any other they are a copy, and a copy
//! does not send.
//!
//! A physical standby is the same database: it has the system identifier of its primary, also once it is
//! promoted.

use crate::postgres::error::Result;
use crate::postgres::param::{params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use serde_json::{Value, json};

static READ: Statement = Statement::new(
    "SELECT h.system_identifier, h.database_oid::pg_catalog.int8 FROM sendgate.home_database h",
    &[],
);

static HOLD: Statement = Statement::new(
    "SELECT h.system_identifier, h.database_oid::pg_catalog.int8 FROM sendgate.home_database h FOR UPDATE",
    &[],
);

static RECORD: Statement = Statement::new(
    "INSERT INTO sendgate.home_database (system_identifier, database_oid, recorded_at, actor)
     VALUES ($1, $2::pg_catalog.oid, $3, $4) ON CONFLICT DO NOTHING",
    types![int8, int8, instant, text],
);

static ADOPT: Statement = Statement::new(
    "INSERT INTO sendgate.home_database (system_identifier, database_oid, recorded_at, actor, note)
     VALUES ($1, $2::pg_catalog.oid, $3, $4, $5)
     ON CONFLICT (only_row) DO UPDATE
     SET system_identifier = EXCLUDED.system_identifier, database_oid = EXCLUDED.database_oid,
         recorded_at = EXCLUDED.recorded_at, actor = EXCLUDED.actor, note = EXCLUDED.note",
    types![int8, int8, instant, text, text],
);

/// A database, as no other has it at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Database {
    system_identifier: i64,
    oid: i64,
}

impl Database {
    /// The one in which this runs.
    pub fn here() -> Database {
        let system_identifier = unsafe { pg_sys::GetSystemIdentifier() };
        let oid = unsafe { pg_sys::MyDatabaseId };
        Database { system_identifier: system_identifier as i64, oid: oid.to_u32().into() }
    }

    fn of(mut row: Row) -> Database {
        Database { system_identifier: row.value(), oid: row.value() }
    }

    /// Whether this is another one.
    pub fn is_elsewhere(self) -> bool {
        self != Database::here()
    }

    /// As the admin log has it.
    pub fn logged(self) -> Value {
        json!({ "system_identifier": self.system_identifier, "database_oid": self.oid })
    }
}

/// Where the books belong, as of now; none where no account was ever provisioned.
pub fn read(spi: &Spi) -> Option<Database> {
    spi.run_on_latest_snapshot(&READ, &[]).first().map(Database::of)
}

/// The same, held until the transaction ends.
///
/// # Errors
/// `SG301` when another session holds it for too long.
pub fn hold(spi: &Spi) -> Result<Option<Database>> {
    Ok(spi.run_waiting(&HOLD, &[])?.first().map(Database::of))
}

/// Writes down that the books belong here, unless they belong anywhere already.
///
/// # Errors
/// `SG301` when another session, which does the same, takes too long.
pub fn record(spi: &Spi, actor: &str, now: Instant) -> Result<()> {
    let here = Database::here();
    spi.run_waiting(&RECORD, params![here.system_identifier, here.oid, now, actor])?;
    Ok(())
}

/// Writes down that the books belong here from now on.
///
/// # Errors
/// `SG301` when another session, which does the same, takes too long.
pub fn adopt(spi: &Spi, actor: &str, note: Option<&str>, now: Instant) -> Result<()> {
    let here = Database::here();
    spi.run_waiting(&ADOPT, params![here.system_identifier, here.oid, now, actor, note])?
        .must_be(1, "home_database");
    Ok(())
}
