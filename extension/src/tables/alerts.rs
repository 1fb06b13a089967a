//! Alerts: one open per account, day and kind; resolved by themselves when their cause is gone.

use crate::postgres::error::Result;
use crate::postgres::ids;
use crate::postgres::param::{Element, array, params};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::{self, AccountRow};
use pgrx::pg_sys;
use sendgate_decision::clock::{Day, Instant};
use std::collections::HashSet;

/// The parameters of both alert statements.
pub const ALERT_TYPES: &[pg_sys::Oid] = &[
    pg_sys::UUIDOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::DATEOID,
    pg_sys::TEXTOID,
    pg_sys::TIMESTAMPTZOID,
];

pub static IS_ALERTED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3 AND l.resolved_at IS NULL",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::DATEOID],
);

pub static ALERT_ONCE: Statement = Statement::new(
    "INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING",
    ALERT_TYPES,
);

pub static RESOLVE_ALERTS: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $3
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.resolved_at IS NULL",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
);

/// The detail goes on growing until it is full, so that no operation is left out unseen.
pub static ALERT_EACH: Statement = Statement::new(
    "INSERT INTO sendgate.alerts AS l (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (account_id, kind, day) WHERE resolved_at IS NULL DO UPDATE
     SET detail = pg_catalog.left(pg_catalog.concat(l.detail, '; ', EXCLUDED.detail), 4000)",
    ALERT_TYPES,
);

/// Opens an alert, unless one of that kind is open for the account and day. Where there is none yet,
/// the account is held first, like for everything that is written about it; `false` when it has
/// changed since it was `seen`, and what the alert is about is to be looked at anew.
///
/// # Errors
/// `SG301` when somebody else holds the account for too long.
pub fn alert_once(
    spi: &Spi,
    account: &str,
    seen: Option<&AccountRow>,
    kind: &str,
    day: Day,
    detail: &str,
    now: Instant,
) -> Result<bool> {
    if spi.run(&IS_ALERTED, params![account, kind, day]).count() > 0 {
        return Ok(true);
    }
    let held = accounts::hold(spi, account)?;
    if seen.is_some_and(|seen| seen.version != held.version) {
        return Ok(false);
    }
    spi.run(&ALERT_ONCE, params![ids::fresh(), account, kind, day, detail, now]);
    Ok(true)
}

/// Opens the alert about a row whose day is ahead of the clock, like [`alert_once`].
///
/// # Errors
/// `SG301` when somebody else holds the account for too long.
pub fn alert_ahead(spi: &Spi, account: &str, seen: Option<&AccountRow>, now: Instant) -> Result<bool> {
    let detail = "The account's day is ahead of the clock; it goes on counting on its own day until repair_day mends it.";
    alert_once(spi, account, seen, "clock_behind_row", now.day(), detail, now)
}

/// Resolves the open alerts of a kind: their cause is gone from the held account.
pub fn resolve_alerts(spi: &Spi, account: &str, kind: &str, now: Instant) {
    spi.run(&RESOLVE_ALERTS, params![account, kind, now]);
}

/// Opens an alert, or adds to the open one of that kind, account and day.
pub fn alert_each(spi: &Spi, account: &str, kind: &str, day: Day, detail: &str, now: Instant) {
    spi.run(&ALERT_EACH, params![ids::fresh(), account, kind, day, detail, now]);
}

/// Stands for all accounts, in alerts that are about none.
pub const NO_ACCOUNT: &str = "*";

static OPEN: Statement = Statement::new(
    "INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    &[
        pg_sys::UUIDOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::DATEOID,
        pg_sys::TEXTOID,
        pg_sys::TIMESTAMPTZOID,
    ],
);

/// Of these accounts, all open alerts of a kind but those on the accounts where it goes on: of the day,
/// or of a later one where the row's day is ahead of the clock.
static RESOLVE: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $4
     WHERE l.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND l.kind OPERATOR(pg_catalog.=) $2 AND l.resolved_at IS NULL
       AND NOT (l.day OPERATOR(pg_catalog.>=) $3
                AND l.account_id OPERATOR(pg_catalog.=) ANY ($5::pg_catalog.text[]))",
    &[pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, pg_sys::DATEOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID],
);

static WAS_RAISED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::DATEOID],
);

/// Opens an alert, unless one of that account, kind and day is open.
pub fn open(spi: &Spi, account: &str, kind: &str, day: Day, detail: &str, now: Instant) -> bool {
    spi.run(&OPEN, params![ids::fresh(), account, kind, day, detail, now]).count() > 0
}

/// Whether such an alert was ever raised, resolved or not.
pub fn was_raised(spi: &Spi, account: &str, kind: &str, day: Day) -> bool {
    spi.run(&WAS_RAISED, params![account, kind, day]).count() > 0
}

/// Resolves the alerts of a kind on these accounts, except on those where its cause goes on today.
pub fn resolve(spi: &Spi, accounts: &[&str], kind: &str, day: Day, still: &HashSet<&str>, now: Instant) {
    let all = array(Element::Text, accounts.iter().copied());
    let still = array(Element::Text, still.iter().copied());
    spi.run(&RESOLVE, &[all, params![kind][0], params![day][0], params![now][0], still]);
}
