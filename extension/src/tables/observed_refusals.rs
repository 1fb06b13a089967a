//! `observed_refusals`: what would have been refused on accounts that are only observed, counted by day.

use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{Action, Reason};

static COUNT: Statement = Statement::new(
    "INSERT INTO sendgate.observed_refusals AS o (account_id, day, action, reason, refusals, last_at)
     VALUES ($1, $2, $3, $4, 1, $5)
     ON CONFLICT (account_id, day, action, reason)
     DO UPDATE SET refusals = o.refusals OPERATOR(pg_catalog.+) 1, last_at = EXCLUDED.last_at",
    types![text, date, text, text, instant],
);

/// Counts one. It never waits: only a session that holds the account writes the account's lines.
pub fn count(spi: &Spi, account: Held<'_>, day: Day, action: Action, reason: Reason, now: Instant) {
    spi.run(&COUNT, params![account.id(), day, action.name(), reason.name(), now]);
}
