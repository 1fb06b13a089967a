//! `breaker_log` and its outbox: every set, clear and skip of a breaker.

use crate::postgres::actor;
use crate::postgres::ids;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use sendgate_decision::clock::Instant;
use sendgate_decision::settle::BreakerChange;

static BREAKER: Statement = Statement::new(
    "WITH logged AS (
     INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at,
         prospect_id, campaign_id, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     RETURNING account_id, id)
     INSERT INTO sendgate.breaker_outbox (account_id, id)
     SELECT l.account_id, l.id FROM logged l",
    types![uuid, instant, text, text, text, text, instant, text, text, text],
);

/// A line of the breaker log.
pub struct BreakerLine<'a> {
    /// The account.
    pub account: Held<'a>,
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
pub fn write(spi: &Spi, action: &str, line: &BreakerLine<'_>, now: Instant) {
    spi.run(
        &BREAKER,
        params![
            ids::fresh(),
            now,
            line.account.id(),
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
pub fn write_changes(
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
        write(spi, action, &BreakerLine { reason, exhausted_at, ..*line }, now);
    }
}

pub static BREAKER_SKIP: Statement = Statement::new(
    "WITH logged AS (
     INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at,
         prospect_id, campaign_id)
     VALUES ($1, $2, $3, 'skip', 'account_inmail_credits_exhausted', $4, $5, $6, $7)
     ON CONFLICT DO NOTHING
     RETURNING account_id, id)
     INSERT INTO sendgate.breaker_outbox (account_id, id)
     SELECT l.account_id, l.id FROM logged l",
    types![uuid, instant, text, text, instant, text, text],
);
