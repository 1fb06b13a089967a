//! `breaker_log` and its outbox: every set, clear and skip of a breaker.

use crate::postgres::actor;
use crate::postgres::ids;
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::activity::{self, Activity};
use crate::tables::campaign_events::Skip;
use crate::tables::campaign_events::many::SkippedWork;
use crate::tables::webhook_outbox::{self, Event};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::OperationId;
use sendgate_decision::settle::BreakerChange;

/// An insert into the log whose lines go to the outbox too, in one statement.
macro_rules! logged {
    ($insert:literal) => {
        concat!(
            "WITH logged AS (",
            $insert,
            " RETURNING account_id, id)
             INSERT INTO sendgate.breaker_outbox (account_id, id)
             SELECT l.account_id, l.id FROM logged l"
        )
    };
}

static WRITE: Statement = Statement::new(
    logged!(
        "INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at,
             prospect_id, campaign_id, note, operation_id, http_status, error_type)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    ),
    types![uuid, instant, text, text, text, text, instant, text, text, text, uuid, int4, text],
);

/// Once for each prospect, campaign and stamp.
static SKIP: Statement = Statement::new(
    logged!(
        "INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at,
             prospect_id, campaign_id)
         VALUES ($1, $2, $3, 'skip', 'account_inmail_credits_exhausted', $4, $5, $6, $7)
         ON CONFLICT DO NOTHING"
    ),
    types![uuid, instant, text, text, instant, text, text],
);

static SKIP_MANY: Statement = Statement::new(
    logged!(
        "INSERT INTO sendgate.breaker_log (id, at, account_id, action, reason, actor, exhausted_at,
             prospect_id, campaign_id)
         SELECT u.id, $1, u.account_id, 'skip', 'account_inmail_credits_exhausted', $3, u.exhausted_at,
                u.prospect_id, u.campaign_id
         FROM unnest($2::pg_catalog.uuid[], $4::pg_catalog.timestamptz[], $5::pg_catalog.text[],
                     $6::pg_catalog.text[], $7::pg_catalog.text[])
              AS u (id, exhausted_at, account_id, prospect_id, campaign_id)
         ON CONFLICT DO NOTHING"
    ),
    types![instant, uuids, text, instants, texts, texts, texts],
);

/// The provider's answer that changed a breaker; all none where none did.
#[derive(Clone, Copy, Default)]
pub struct Cause<'a> {
    /// The operation that it answered; none where the gate was not asked.
    pub operation: Option<OperationId>,
    /// Its HTTP status.
    pub http_status: Option<i32>,
    /// Its type.
    pub error_type: Option<&'a str>,
}

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
    /// An operator's note, or the provider's text where there is no operation.
    pub note: Option<&'a str>,
    /// The provider's answer that set or cleared it.
    pub cause: Cause<'a>,
}

/// Logs that a breaker was stamped or its stamp removed.
pub fn write(spi: &Spi, action: &str, line: &BreakerLine<'_>, now: Instant) {
    let (activity, event) = match action {
        "set" => (Activity::BreakerSet, Event::BreakerSet),
        _ => (Activity::BreakerClear, Event::BreakerClear),
    };
    activity::count(activity);
    let id = ids::fresh();
    spi.run(
        &WRITE,
        params![
            id,
            now,
            line.account.id(),
            action,
            line.reason,
            &actor::name(),
            line.exhausted_at,
            line.prospect,
            line.campaign,
            line.note,
            line.cause.operation,
            line.cause.http_status,
            line.cause.error_type
        ],
    )
    .must_be(1, "breaker_log");
    webhook_outbox::tell(spi, event, &[(line.account.id(), id)], now);
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

/// Logs that the breaker skipped an InMail, unless that is logged for this prospect, campaign and stamp.
pub fn write_skip(spi: &Spi, account: Held<'_>, skip: &Skip<'_>, now: Instant) {
    let stamp = skip.seen.account.breaker.exhausted_at;
    let (id, actor) = (ids::fresh(), actor::name());
    spi.run(&SKIP, params![id, now, account.id(), &actor, stamp, skip.prospect, skip.campaign]);
}

/// The same for several.
pub fn write_skips(spi: &Spi, skips: &[SkippedWork<'_>], now: Instant) {
    let values = [
        now.param(),
        array(Element::Uuid, skips.iter().map(|_| ids::fresh())),
        actor::name().as_str().param(),
        array(Element::Timestamp, skips.iter().map(|skip| skip.exhausted_at)),
        array(Element::Text, skips.iter().map(|skip| skip.account.id())),
        array(Element::Text, skips.iter().map(|skip| skip.prospect)),
        array(Element::Text, skips.iter().map(|skip| skip.campaign)),
    ];
    spi.run(&SKIP_MANY, &values);
}
