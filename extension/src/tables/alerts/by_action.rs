//! Alerts about actions of an account: one for an account, kind and day, with an entry for each action that it is
//! still about. One that is raised again on its day is the same alert, open again.

use crate::postgres::ids::Id;
use crate::postgres::param::{params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::alerts;
use crate::tables::webhook_outbox::{self, Event};
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::entries;
use sendgate_decision::names::Action;

/// A kind of these alerts.
pub struct Kind {
    /// As it is spelled.
    pub name: &'static str,
    /// What happened to an action, as each entry says it.
    pub what: &'static str,
}

/// An action fails again and again.
pub static FAILING: Kind = Kind { name: "failing", what: "failed again and again" };

/// The account's plan or seat does not include an action.
pub static UNAVAILABLE: Kind =
    Kind { name: "action_unavailable", what: "is not included in the account's plan or seat" };

/// The one of a day, resolved or not.
static OF_DAY: Statement = Statement::new(
    "SELECT l.alert_id, l.detail, l.resolved_at IS NULL FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3
     ORDER BY l.resolved_at IS NULL DESC, l.opened_at DESC, l.alert_id LIMIT 1",
    types![text, text, date],
);

/// The open ones. A confirm looks for them where its action has had a cooldown: the index on open alerts has them.
static OPEN: Statement = Statement::new(
    "SELECT l.alert_id, l.detail, true FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.resolved_at IS NULL",
    types![text, text],
);

static SAY: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET detail = $3
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.alert_id OPERATOR(pg_catalog.=) $2",
    types![text, uuid, text],
);

/// An acknowledgement was about what had happened before.
static REOPEN: Statement = Statement::new(
    "UPDATE sendgate.alerts l
     SET detail = $3, resolved_at = NULL, acknowledged_by = NULL, acknowledged_at = NULL, acknowledge_note = NULL
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.alert_id OPERATOR(pg_catalog.=) $2",
    types![text, uuid, text],
);

static RESOLVE: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $3
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.alert_id OPERATOR(pg_catalog.=) $2",
    types![text, uuid, instant],
);

struct Found {
    id: Id,
    detail: String,
    is_open: bool,
}

fn found(mut row: Row) -> Found {
    let id = row.nullable_uuid().expect("the key is not null");
    Found { id, detail: row.value(), is_open: row.value() }
}

fn of_day(spi: &Spi, account: Held<'_>, kind: &Kind, day: Day) -> Option<Found> {
    spi.run_on_latest_snapshot(&OF_DAY, params![account.id(), kind.name, day]).first().map(found)
}

fn open(spi: &Spi, account: Held<'_>, kind: &Kind) -> Vec<Found> {
    spi.run_on_latest_snapshot(&OPEN, params![account.id(), kind.name]).iter().map(found).collect()
}

/// Says of an action in the alert of the day that this happened to it, with the provider's words.
pub fn raise(spi: &Spi, account: Held<'_>, kind: &Kind, action: Action, words: &str, day: Day, now: Instant) {
    let entry = entries::entry(action, kind.what, words);
    match of_day(spi, account, kind, day) {
        None => {
            alerts::open(spi, account, kind.name, day, &entry, now);
        }
        Some(alert) if alert.is_open => say(spi, account, kind, &alert, action, &entry),
        Some(alert) => {
            spi.write_on_latest_snapshot(&REOPEN, params![account.id(), alert.id, &entry]);
            webhook_outbox::tell(spi, Event::AlertOpened, &[(account.id(), alert.id)], now);
        }
    }
}

/// Where an open alert names the action, it has these words of the provider from now on.
pub fn renew(spi: &Spi, account: Held<'_>, kind: &Kind, action: Action, words: &str) {
    let entry = entries::entry(action, kind.what, words);
    for alert in open(spi, account, kind) {
        if entries::names(&alert.detail, kind.what, action) {
            say(spi, account, kind, &alert, action, &entry);
        }
    }
}

/// It is over for the action: the alerts that name it are about the others from now on, and resolved where there
/// are none.
pub fn settle(spi: &Spi, account: Held<'_>, kind: &Kind, action: Action, now: Instant) {
    for alert in open(spi, account, kind) {
        match entries::without(&alert.detail, kind.what, action) {
            Some(detail) if detail == alert.detail => {}
            Some(detail) => {
                spi.write_on_latest_snapshot(&SAY, params![account.id(), alert.id, &detail]);
            }
            None => {
                spi.write_on_latest_snapshot(&RESOLVE, params![account.id(), alert.id, now]);
                webhook_outbox::tell(spi, Event::AlertResolved, &[(account.id(), alert.id)], now);
            }
        }
    }
}

fn say(spi: &Spi, account: Held<'_>, kind: &Kind, alert: &Found, action: Action, entry: &str) {
    let detail = entries::with(&alert.detail, kind.what, action, entry);
    if detail != alert.detail {
        spi.write_on_latest_snapshot(&SAY, params![account.id(), alert.id, &detail]);
    }
}
