//! `alerts`: one open alert per account, day and kind; it is resolved by itself when its cause is gone. `by_action`
//! has those that are about single actions of an account.

pub mod by_action;

use crate::postgres::error::Result;
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Rows, Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::webhook_outbox::{self, Event};
use pgrx::pg_sys;
use sendgate_decision::clock::{Day, Instant};
use std::collections::HashSet;

/// Stands for all accounts, in alerts that are about none.
pub const NO_ACCOUNT: &str = "*";

/// The alert about so many accounts that fail together that it is the provider; it is about no account.
pub const PROVIDER_FAILING: &str = "provider_failing";

/// The alert about books that were written in another database; it is about no account.
pub const COPIED_DATABASE: &str = "copied_database";

/// The alert about a row whose day is ahead of the clock.
const AHEAD: &str = "clock_behind_row";

const AHEAD_DETAIL: &str =
    "The account's day is ahead of the clock; it goes on counting on its own day until repair_day mends it.";

const OPEN_TYPES: &[pg_sys::Oid] = types![uuid, text, text, date, text, instant];

static OPEN: Statement = Statement::new(
    "INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    OPEN_TYPES,
);

/// The detail goes on growing until it is full, so that no operation is left out unseen.
static ADD: Statement = Statement::new(
    "INSERT INTO sendgate.alerts AS l (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6)
     ON CONFLICT (account_id, kind, day) WHERE resolved_at IS NULL DO UPDATE
     SET detail = pg_catalog.left(pg_catalog.concat(l.detail, '; ', EXCLUDED.detail), 4000)
     RETURNING l.alert_id",
    OPEN_TYPES,
);

static IS_OPEN: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3 AND l.resolved_at IS NULL",
    types![text, text, date],
);

static WAS_RAISED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3",
    types![text, text, date],
);

/// What each statement returns that resolves alerts: which, for the notifications.
macro_rules! resolving {
    ($update:literal) => {
        concat!("UPDATE sendgate.alerts l SET resolved_at = ", $update, " RETURNING l.account_id, l.alert_id")
    };
}

static RESOLVE: Statement = Statement::new(
    resolving!(
        "$3
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.resolved_at IS NULL"
    ),
    types![text, text, instant],
);

/// Of these accounts, all open alerts of a kind but those on the accounts where it goes on: of the day,
/// or of a later one where the row's day is ahead of the clock. Whether it goes on is told of each account: a list
/// of those would be read once for each alert.
static RESOLVE_SWEPT: Statement = Statement::new(
    resolving!(
        "$4
     FROM unnest($1::pg_catalog.text[], $5::pg_catalog.bool[]) AS u (account_id, goes_on)
     WHERE l.account_id OPERATOR(pg_catalog.=) u.account_id
       AND l.kind OPERATOR(pg_catalog.=) $2 AND l.resolved_at IS NULL
       AND NOT (u.goes_on AND l.day OPERATOR(pg_catalog.>=) $3)"
    ),
    types![texts, text, date, instant, bools],
);

static RESOLVE_OLD: Statement = Statement::new(
    resolving!(
        "$2
     WHERE l.resolved_at IS NULL AND l.day OPERATOR(pg_catalog.<) $1
       AND l.kind OPERATOR(pg_catalog.=) ANY ($3::pg_catalog.text[])"
    ),
    types![date, instant, texts],
);

static RENEW: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET detail = $3
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.resolved_at IS NULL",
    types![text, text, text],
);

/// What an alert is about.
#[derive(Clone, Copy, Debug)]
pub enum About<'a> {
    /// An account.
    Account(Held<'a>),
    /// The jobs of the books, and no account: only who holds a job writes these.
    Jobs,
    /// The webhooks, and no account: what becomes of notifications writes these, a webhook held.
    Webhooks,
}

impl<'a> From<Held<'a>> for About<'a> {
    fn from(account: Held<'a>) -> About<'a> {
        About::Account(account)
    }
}

impl About<'_> {
    fn id(&self) -> &str {
        match self {
            About::Account(held) => held.id(),
            About::Jobs | About::Webhooks => NO_ACCOUNT,
        }
    }
}

/// Opens an alert, unless one of that kind and day is open about the same; whether it did. Verbs and sweeps come
/// upon the same cause again and again: an alert that is open is not written at, not even in vain.
pub fn open<'a>(
    spi: &Spi,
    about: impl Into<About<'a>>,
    kind: &str,
    day: Day,
    detail: &str,
    now: Instant,
) -> bool {
    let (about, id) = (about.into(), ids::fresh());
    let is_new = !is_open(spi, about.id(), kind, day)
        && spi.run(&OPEN, params![id, about.id(), kind, day, detail, now]).count() > 0;
    if is_new {
        webhook_outbox::tell(spi, Event::AlertOpened, &[(about.id(), id)], now);
    }
    is_new
}

/// Opens an alert about no single day, or says what an open one is about by now.
pub fn open_or_renew(spi: &Spi, about: About<'_>, kind: &str, detail: &str, now: Instant) {
    if spi.run(&RENEW, params![about.id(), kind, detail]).count() == 0 {
        open(spi, about, kind, now.day(), detail, now);
    }
}

/// Opens the alert about a row whose day is ahead of the clock.
pub fn open_ahead(spi: &Spi, account: Held<'_>, now: Instant) {
    open(spi, account, AHEAD, now.day(), AHEAD_DETAIL, now);
}

/// The same about an account that was only `seen`: it is held where there is no such alert yet. `false`
/// when the row has changed since, and what the alert is about is to be looked at anew.
///
/// # Errors
/// `SG301` when another session holds the account for too long.
pub fn open_ahead_of_seen(spi: &Spi, account: &str, seen: &AccountRow, now: Instant) -> Result<bool> {
    if is_open(spi, account, AHEAD, now.day()) {
        return Ok(true);
    }
    let (held, row) = accounts::hold(account)?;
    if seen.version != row.version {
        return Ok(false);
    }
    open(spi, held, AHEAD, now.day(), AHEAD_DETAIL, now);
    Ok(true)
}

fn is_open(spi: &Spi, account: &str, kind: &str, day: Day) -> bool {
    spi.run(&IS_OPEN, params![account, kind, day]).count() > 0
}

/// Opens an alert, or adds to the open one of that kind, account and day.
pub fn add(spi: &Spi, account: Held<'_>, kind: &str, day: Day, detail: &str, now: Instant) {
    let id = ids::fresh();
    let added = spi.run(&ADD, params![id, account.id(), kind, day, detail, now]).first();
    if added.and_then(|mut row| row.nullable_uuid()) == Some(id) {
        webhook_outbox::tell(spi, Event::AlertOpened, &[(account.id(), id)], now);
    }
}

/// Whether such an alert was ever raised, resolved or not.
pub fn was_raised(spi: &Spi, account: Held<'_>, kind: &str, day: Day) -> bool {
    spi.run(&WAS_RAISED, params![account.id(), kind, day]).count() > 0
}

/// Resolves the open alerts of a kind: their cause is gone.
pub fn resolve(spi: &Spi, about: About<'_>, kind: &str, now: Instant) {
    tell_resolved(spi, &spi.run(&RESOLVE, params![about.id(), kind, now]), now);
}

/// Resolves the open alerts of these kinds that are about a day before this one, whatever the account: those of accounts
/// that no sweep meets any more, too.
pub fn resolve_old(spi: &Spi, kinds: &[&str], before: Day, now: Instant) {
    let kinds = array(Element::Text, kinds.iter().copied());
    tell_resolved(spi, &spi.run(&RESOLVE_OLD, &[params![before][0], params![now][0], kinds]), now);
}

/// Passes on which alerts a statement has resolved.
fn tell_resolved(spi: &Spi, rows: &Rows<'_>, now: Instant) {
    let resolved = |mut row: Row| (row.value::<String>(), row.nullable_uuid().expect("the key is not null"));
    let resolved: Vec<(String, Id)> = rows.iter().map(resolved).collect();
    let told: Vec<(&str, Id)> = resolved.iter().map(|(account, id)| (account.as_str(), *id)).collect();
    webhook_outbox::tell(spi, Event::AlertResolved, &told, now);
}

/// Resolves the alerts of a kind on the accounts that a sweep has met, except on those where the cause
/// goes on today. Holds none of them: a sweep waits for no account, and no two sweeps of a job run at a
/// time.
pub fn resolve_swept(
    spi: &Spi,
    accounts: &[&str],
    kind: &str,
    day: Day,
    still: &HashSet<&str>,
    now: Instant,
) {
    let all = array(Element::Text, accounts.iter().copied());
    let goes_on = array(Element::Bool, accounts.iter().map(|account| still.contains(account)));
    let values = [all, params![kind][0], params![day][0], params![now][0], goes_on];
    tell_resolved(spi, &spi.run(&RESOLVE_SWEPT, &values), now);
}
