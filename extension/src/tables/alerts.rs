//! What is written beside the books: breaker log, admin log, alerts. Always in the same transaction.

use pgrx::pg_sys;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::settle::BreakerChange;
use serde_json::Value;

use crate::account_row::{self, AccountRow};
use crate::actor;
use crate::error::Result;
use crate::ids;
use crate::statement::{Spi, Statement, params};

static BREAKER: Statement = Statement::new(
    "WITH logged AS (
     INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at,
         prospect_id, campaign_id, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     RETURNING account_id, id)
     INSERT INTO sendgate.breaker_outbox (account_id, id)
     SELECT l.account_id, l.id FROM logged l",
    &[
        pg_sys::UUIDOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
    ],
);

static ADMIN: Statement = Statement::new(
    "INSERT INTO sendgate.admin_log (id, at, actor, verb, account_id, subject, before, after, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.jsonb, $8::pg_catalog.jsonb, $9)",
    &[
        pg_sys::UUIDOID,
        pg_sys::TIMESTAMPTZOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
    ],
);

/// The parameters of both alert statements.
const ALERT_TYPES: &[pg_sys::Oid] = &[
    pg_sys::UUIDOID,
    pg_sys::TEXTOID,
    pg_sys::TEXTOID,
    pg_sys::DATEOID,
    pg_sys::TEXTOID,
    pg_sys::TIMESTAMPTZOID,
];

static IS_ALERTED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3 AND l.resolved_at IS NULL",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::DATEOID],
);

static ALERT_ONCE: Statement = Statement::new(
    "INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT DO NOTHING",
    ALERT_TYPES,
);

static RESOLVE_ALERTS: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $3
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.resolved_at IS NULL",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID],
);

/// The detail goes on growing until it is full, so that no operation is left out unseen.
static ALERT_EACH: Statement = Statement::new(
    "INSERT INTO sendgate.alerts AS l (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (account_id, kind, day) WHERE resolved_at IS NULL DO UPDATE
     SET detail = pg_catalog.left(pg_catalog.concat(l.detail, '; ', EXCLUDED.detail), 4000)",
    ALERT_TYPES,
);

/// A line of the breaker log.
pub struct BreakerLine<'a> {
    /// The account.
    pub account: &'a str,
    /// Why: a clear's reason, or what armed it.
    pub reason: &'a str,
    /// The stamp that was set or removed.
    pub exhausted_at: Option<Instant>,
    /// Whose attempt it was about.
    pub prospect: Option<&'a str>,
    /// The campaign of that attempt.
    pub campaign: Option<&'a str>,
    /// An operator's note.
    pub note: Option<&'a str>,
}

/// Logs that a breaker was stamped or its stamp removed.
pub fn breaker(spi: &Spi, action: &str, line: &BreakerLine<'_>, now: Instant) {
    spi.run(
        &BREAKER,
        params![
            ids::fresh(),
            now,
            line.account,
            action,
            line.reason,
            &actor::name(),
            line.exhausted_at,
            line.prospect,
            line.campaign,
            line.note
        ],
    );
}

/// Logs the breaker's changes that settling an operation brought.
pub fn breaker_changes(
    spi: &Spi,
    changes: &[BreakerChange],
    before: Option<Instant>,
    after: Option<Instant>,
    line: &BreakerLine<'_>,
    now: Instant,
) {
    for change in changes {
        let (action, reason, exhausted_at) = match change {
            BreakerChange::Set => ("set", line.reason, after),
            BreakerChange::Clear(reason) => ("clear", reason.name(), before),
        };
        breaker(spi, action, &BreakerLine { reason, exhausted_at, ..*line }, now);
    }
}

/// Logs what an operator changed, from what to what.
pub fn admin(
    spi: &Spi,
    verb: &str,
    account: Option<&str>,
    subject: Option<&str>,
    change: (Value, Value),
    note: Option<&str>,
) {
    let [before, after] = [change.0, change.1].map(|v| (!v.is_null()).then(|| v.to_string()));
    spi.run(
        &ADMIN,
        params![
            ids::fresh(),
            crate::clock::now(),
            &actor::name(),
            verb,
            account,
            subject,
            before.as_ref(),
            after.as_ref(),
            note
        ],
    );
}

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
    let held = account_row::hold(spi, account)?;
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
