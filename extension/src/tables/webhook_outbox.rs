//! `webhook_outbox`: what each webhook was not told yet. A row is written in the transaction of its event and names the
//! row that tells of it; what is posted is read from there, so nothing has to be forgotten twice.
//!
//! The order of commit is not that of numbers, so the outbox has no cursor: a row leaves when it is posted. Events of an
//! account are written while it is held, one transaction after the other, and each takes the next place.

use crate::postgres::ids::{self, Id};
use crate::postgres::param::{Element, IntoParam, Param, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::config;
use sendgate_decision::clock::Instant;

/// What a webhook may be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// An alert was opened.
    AlertOpened,
    /// An alert was resolved.
    AlertResolved,
    /// A breaker was stamped.
    BreakerSet,
    /// A breaker's stamp was removed.
    BreakerClear,
    /// A cooldown was set or extended.
    CooldownSet,
}

impl Event {
    /// The closed list.
    pub const ALL: [Event; 5] = [
        Event::AlertOpened,
        Event::AlertResolved,
        Event::BreakerSet,
        Event::BreakerClear,
        Event::CooldownSet,
    ];

    /// As it is spelled.
    pub const fn name(self) -> &'static str {
        match self {
            Event::AlertOpened => "alert_opened",
            Event::AlertResolved => "alert_resolved",
            Event::BreakerSet => "breaker_set",
            Event::BreakerClear => "breaker_clear",
            Event::CooldownSet => "cooldown_set",
        }
    }
}

/// A row for each webhook that wants the event: none where no webhook is registered, which costs a look at an empty
/// table. On the latest snapshot, so that at REPEATABLE READ too an event comes after all that was written before.
static TELL: Statement = Statement::new(
    "INSERT INTO sendgate.webhook_outbox (webhook, account_id, place, id, event, source_id, at)
     SELECT w.name, u.account_id,
            COALESCE((SELECT o.place FROM sendgate.webhook_outbox o
                      WHERE o.webhook OPERATOR(pg_catalog.=) w.name
                        AND o.account_id OPERATOR(pg_catalog.=) u.account_id
                      ORDER BY o.place DESC LIMIT 1), 0) OPERATOR(pg_catalog.+) u.n,
            u.id, $1, u.source_id, $2
     FROM sendgate.webhooks w
     CROSS JOIN ROWS FROM (pg_catalog.unnest($3::pg_catalog.text[]), pg_catalog.unnest($4::pg_catalog.uuid[]),
                           pg_catalog.unnest($5::pg_catalog.uuid[]))
          WITH ORDINALITY AS u (account_id, source_id, id, n)
     WHERE $1 OPERATOR(pg_catalog.=) ANY (w.events)",
    types![text, instant, texts, uuids, uuids],
);

/// Keeps an event for each webhook that wants it: of these accounts (`*`: none), by the rows that tell of it. A copy of
/// the books tells nothing.
pub fn tell(spi: &Spi, event: Event, rows: &[(&str, Id)], now: Instant) {
    if rows.is_empty() || config::current(spi).is_copy() {
        return;
    }
    let values = [
        event.name().param(),
        now.param(),
        array(Element::Text, rows.iter().map(|(account, _)| *account)),
        array(Element::Uuid, rows.iter().map(|(_, source)| *source)),
        array(Element::Uuid, rows.iter().map(|_| ids::fresh())),
    ];
    spi.write_on_latest_snapshot(&TELL, &values);
}

static REMOVE: Statement = Statement::new(
    "DELETE FROM sendgate.webhook_outbox o
     WHERE o.webhook OPERATOR(pg_catalog.=) $1 AND o.account_id OPERATOR(pg_catalog.=) $2
       AND o.id OPERATOR(pg_catalog.=) $3 AND o.attempts OPERATOR(pg_catalog.>) 0",
    types![text, text, uuid],
);

/// Removes an event that was lent; whether it was there.
pub fn remove(spi: &Spi, webhook: &str, account: Param, id: Param) -> bool {
    spi.run(&REMOVE, &[webhook.param(), account, id]).count() > 0
}
