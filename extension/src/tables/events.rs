//! `linkedin_events`: the log of proven deliveries.

use crate::postgres::ids::{self, Id};
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::journal::JournalRow;
use sendgate_decision::breaker::EVIDENCE_WINDOW;
use sendgate_decision::clock::Instant;
use sendgate_decision::settle::Operation;
use std::collections::HashSet;

static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on,
         account_id, prospect_id, event_type, chat_id, campaign_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    types![uuid, uuid, instant, instant, date, text, text, text, text, text],
);

/// The InMail of a chat, told of that occurred from $4 to $5.
static OF_CHAT: Statement = Statement::new(
    "SELECT e.id FROM sendgate.linkedin_events e
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.event_type OPERATOR(pg_catalog.=) 'inmail_sent' AND e.chat_id OPERATOR(pg_catalog.=) $3
       AND e.occurred_at OPERATOR(pg_catalog.>=) $4 AND e.occurred_at OPERATOR(pg_catalog.<=) $5
     ORDER BY e.occurred_at LIMIT 1",
    types![text, text, text, instant, instant],
);

static INSERT_MANY: Statement = Statement::new(
    "INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on,
         account_id, prospect_id, event_type, chat_id, campaign_id)
     SELECT u.id, u.operation_id, u.occurred_at, $1, u.counted_on, u.account_id, u.prospect_id,
            u.event_type, u.chat_id, u.campaign_id
     FROM unnest($2::pg_catalog.uuid[], $3::pg_catalog.uuid[], $4::pg_catalog.timestamptz[],
                            $5::pg_catalog.date[], $6::pg_catalog.text[], $7::pg_catalog.text[],
                            $8::pg_catalog.text[], $9::pg_catalog.text[], $10::pg_catalog.text[])
          AS u (id, operation_id, occurred_at, counted_on, account_id, prospect_id, event_type, chat_id,
                campaign_id)",
    types![instant, uuids, uuids, instants, dates, texts, texts, texts, texts, texts],
);

/// Those accounts for which an event proves that they have credits again: an InMail that occurred and was recorded after the
/// stamp of the account's breaker, within the last hour, and is not the late delivery of an operation that was reserved
/// at or before the stamp. The same rule as `Breaker::is_evidence`, for deliveries that are in the log.
static EVIDENCE: Statement = Statement::new(
    "SELECT u.account_id
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.timestamptz[]) AS u (account_id, exhausted_at)
     WHERE EXISTS (
         SELECT FROM sendgate.linkedin_events e
         LEFT JOIN sendgate.send_operations o
             ON o.account_id OPERATOR(pg_catalog.=) u.account_id
                AND o.operation_id OPERATOR(pg_catalog.=) e.operation_id
         WHERE e.account_id OPERATOR(pg_catalog.=) u.account_id
           AND e.event_type OPERATOR(pg_catalog.=) 'inmail_sent'
           AND e.occurred_at OPERATOR(pg_catalog.>) u.exhausted_at
           AND e.occurred_at OPERATOR(pg_catalog.>=) $3 AND e.occurred_at OPERATOR(pg_catalog.<=) $4
           AND e.recorded_at OPERATOR(pg_catalog.>) u.exhausted_at
           AND (o.operation_id IS NULL OR o.reserved_at OPERATOR(pg_catalog.>) u.exhausted_at))",
    types![texts, instants, instant, instant],
);

/// The event of a delivery.
pub struct Event<'a> {
    /// Its id.
    pub id: Id,
    /// The account.
    pub account: Held<'a>,
    /// The operation that was delivered.
    pub operation: Operation,
    /// Whom it went to.
    pub prospect: String,
    /// The campaign.
    pub campaign: Option<String>,
    /// The provider's proof.
    pub chat_id: Option<&'a str>,
    /// When it was delivered.
    pub occurred_at: Instant,
}

/// Writes the event of a delivered operation and returns its id.
pub fn insert(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    chat_id: Option<&str>,
    occurred_at: Instant,
    now: Instant,
) -> Id {
    let id = ids::fresh();
    let written = spi.run(
        &INSERT,
        params![
            id,
            row.operation.id,
            occurred_at,
            now,
            row.operation.counted_on,
            account.id(),
            &row.prospect,
            row.operation.action.event_type(),
            chat_id,
            row.campaign.as_ref()
        ],
    );
    written.must_be(1, "linkedin_events");
    id
}

/// Writes the events of delivered operations.
pub fn insert_many(spi: &Spi, events: &[Event<'_>], now: Instant) {
    if events.is_empty() {
        return;
    }
    let all = || events.iter();
    let written = spi.run(
        &INSERT_MANY,
        &[
            now.param(),
            array(Element::Uuid, all().map(|e| e.id)),
            array(Element::Uuid, all().map(|e| e.operation.id)),
            array(Element::Timestamp, all().map(|e| e.occurred_at)),
            array(Element::Date, all().map(|e| e.operation.counted_on)),
            array(Element::Text, all().map(|e| e.account.id())),
            array(Element::Text, all().map(|e| e.prospect.as_str())),
            array(Element::Text, all().map(|e| e.operation.action.event_type())),
            array(Element::Text, all().map(|e| e.chat_id)),
            array(Element::Text, all().map(|e| e.campaign.as_deref())),
        ],
    );
    written.must_be(events.len(), "linkedin_events");
}

/// The event of an InMail by its chat id, that occurred between these instants.
pub fn of_chat(
    spi: &Spi,
    (account, prospect, chat): (&str, &str, &str),
    between: (Instant, Instant),
) -> Option<Id> {
    let values = params![account, prospect, chat, between.0, between.1];
    spi.run(&OF_CHAT, values).first().and_then(|mut row| row.nullable_uuid())
}

/// Whether the event log proves a delivery after the breaker's stamp.
pub fn has_evidence(spi: &Spi, account: &str, stamp: Instant, now: Instant) -> bool {
    !with_evidence(spi, &[(account, Some(stamp))], now).is_empty()
}

/// Those of these accounts, each with its breaker's stamp, whose event log proves a delivery after it.
pub fn with_evidence(spi: &Spi, stamped: &[(&str, Option<Instant>)], now: Instant) -> HashSet<String> {
    let values = [
        array(Element::Text, stamped.iter().map(|(account, _)| *account)),
        array(Element::Timestamp, stamped.iter().map(|(_, stamp)| *stamp)),
        now.plus(-EVIDENCE_WINDOW).param(),
        now.param(),
    ];
    spi.run(&EVIDENCE, &values).iter().map(|mut row| row.value()).collect()
}
