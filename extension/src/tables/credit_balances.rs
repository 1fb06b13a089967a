//! `credit_balances`: every balance that was told. Append-only.

use crate::postgres::actor;
use crate::postgres::ids;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::Observation;

static LAST: Statement = Statement::new(
    "SELECT b.balance, b.observed_at, b.recorded_at FROM sendgate.credit_balances b
     WHERE b.account_id OPERATOR(pg_catalog.=) $1
     ORDER BY b.account_id DESC, b.id DESC LIMIT 1",
    types![text],
);

static WRITE: Statement = Statement::new(
    "INSERT INTO sendgate.credit_balances (id, account_id, balance, observed_at, recorded_at, actor, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7)",
    types![uuid, text, int4, instant, instant, text, text],
);

/// A line of the log.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// The balance, and when it was observed.
    pub told: Observation,
    /// When it was written.
    pub recorded_at: Instant,
}

/// The last line about an account.
pub fn last(spi: &Spi, account: Held<'_>) -> Option<Line> {
    let mut row = spi.run_on_latest_snapshot(&LAST, params![account.id()]).first()?;
    let told = Observation { balance: row.value(), observed_at: row.instant() };
    Some(Line { told, recorded_at: row.instant() })
}

/// Writes a line.
pub fn write(spi: &Spi, account: Held<'_>, told: Observation, note: Option<&str>, now: Instant) {
    let (balance, observed_at) = (told.balance, told.observed_at);
    spi.run(&WRITE, params![ids::fresh(), account.id(), balance, observed_at, now, &actor::name(), note])
        .must_be(1, "credit_balances");
}
