//! The tickets of `dispatch`: "look at this account's work of this action no later than then".
//!
//! Work is never forgotten: code that makes an enrollment due adds a ticket that is due no later, or finds
//! one and locks it in share mode, so that dispatch cannot move it past work that it does not see yet. No
//! session waits for another here.

use crate::postgres::ids;
use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use sendgate_decision::clock::{DAY, Instant};
use sendgate_decision::names::Action;
use std::collections::HashSet;

/// No ticket is due later than this from now, so that a change past the functions, such as a DBA's UPDATE,
/// delays work by a day and does not lose it.
pub const SLEEP_MAX: i64 = DAY;

static LIES_READY: Statement = Statement::new(
    "SELECT 1 FROM sendgate.dispatch_queue q
     WHERE q.account_id OPERATOR(pg_catalog.=) $1 AND q.action OPERATOR(pg_catalog.=) $2
       AND q.due_at OPERATOR(pg_catalog.<=) $3
     LIMIT 1 FOR KEY SHARE SKIP LOCKED",
    types![text, text, instant],
);

static ADD: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
     VALUES ($1, $2, $3, $4)",
    types![instant, uuid, text, text],
);

/// The same for many pairs: which of them have such a ticket, now locked.
static LIE_READY: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.timestamptz[]) WITH ORDINALITY
          AS u (account_id, action, due_at, n)
     CROSS JOIN LATERAL (
         SELECT 1 FROM sendgate.dispatch_queue q
         WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
           AND q.due_at OPERATOR(pg_catalog.<=) u.due_at
         LIMIT 1 FOR KEY SHARE SKIP LOCKED
     ) q",
    types![texts, texts, instants],
);

static ADD_ALL: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
     SELECT u.due_at, u.ticket_id, u.account_id, u.action
     FROM unnest($1::pg_catalog.uuid[], $2::pg_catalog.timestamptz[], $3::pg_catalog.text[],
                            $4::pg_catalog.text[])
          AS u (ticket_id, due_at, account_id, action)",
    types![uuids, instants, texts, texts],
);

static WAKE: Statement = Statement::new(
    "UPDATE sendgate.dispatch_queue q SET due_at = $3
     WHERE q.account_id OPERATOR(pg_catalog.=) $1
       AND (q.action OPERATOR(pg_catalog.=) $2 OR $2 IS NULL)
       AND q.due_at OPERATOR(pg_catalog.>) $3",
    types![text, text, instant],
);

static WAKE_MANY: Statement = Statement::new(
    "UPDATE sendgate.dispatch_queue q SET due_at = $2
     WHERE q.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND q.due_at OPERATOR(pg_catalog.>) $2",
    types![texts, instant],
);

static WAKE_PAIRS: Statement = Statement::new(
    "UPDATE sendgate.dispatch_queue q SET due_at = $1
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[]) AS u (account_id, action)
     WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
       AND q.due_at OPERATOR(pg_catalog.>) $1",
    types![instant, texts, texts],
);

/// No dispatch moves the ticket that is found here, because it would have to hold the account.
static ADD_MANY: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
     SELECT u.due_at, u.ticket_id, u.account_id, u.action
     FROM unnest($1::pg_catalog.uuid[], $2::pg_catalog.timestamptz[], $3::pg_catalog.text[],
                            $4::pg_catalog.text[])
          AS u (ticket_id, due_at, account_id, action)
     WHERE NOT EXISTS (
         SELECT FROM sendgate.dispatch_queue q
         WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id
           AND q.action OPERATOR(pg_catalog.=) u.action
           AND q.due_at OPERATOR(pg_catalog.<=) u.due_at)",
    types![uuids, instants, texts, texts],
);

/// Inserts rather than updates, so that two sessions that wake many accounts never wait for each other. It
/// inserts even if a due ticket exists, because no account is held here: a dispatch may be moving that
/// ticket right now, by the caps as they were.
static WAKE_TIER: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
     SELECT $3, pg_catalog.gen_random_uuid(), q.account_id, q.action
     FROM sendgate.dispatch_queue q
     JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
     WHERE a.tier OPERATOR(pg_catalog.=) $1 AND q.action OPERATOR(pg_catalog.=) $2
     GROUP BY q.account_id, q.action",
    types![text, text, instant],
);

/// Of these pairs, those whose first ticket sleeps, at most until then. Inserts likewise.
static WAKE_UNHELD: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
     SELECT $1, pg_catalog.gen_random_uuid(), q.account_id, q.action
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[], $4::pg_catalog.timestamptz[])
          AS u (account_id, action, until)
     JOIN sendgate.dispatch_queue q
         ON q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
     GROUP BY q.account_id, q.action, u.until
     HAVING pg_catalog.min(q.due_at) OPERATOR(pg_catalog.>) $1
        AND pg_catalog.min(q.due_at) OPERATOR(pg_catalog.<=) u.until",
    types![instant, texts, texts, instants],
);

static WAKE_CAMPAIGN: Statement = Statement::new(
    "INSERT INTO sendgate.dispatch_queue (due_at, ticket_id, account_id, action)
     SELECT GREATEST(pg_catalog.min(e.next_dispatch_at), $2), pg_catalog.gen_random_uuid(), e.account_id,
            e.action
     FROM sendgate.enrollments e
     WHERE e.campaign_id OPERATOR(pg_catalog.=) $1 AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND e.next_dispatch_at IS NOT NULL
     GROUP BY e.account_id, e.action",
    types![text, instant],
);

/// Makes sure that dispatch looks at the account's work of this action by `due_at`. Demands no `Held`:
/// `enqueue` holds no account, and an inserted ticket changes no row that another session has read.
pub fn ticket(spi: &Spi, account: &str, action: Action, due_at: Instant) {
    if spi.write_on_latest_snapshot(&LIES_READY, params![account, action.name(), due_at]).count() == 0 {
        spi.run(&ADD, params![due_at, ids::fresh(), account, action.name()]);
    }
}

/// The same for many pairs, each once.
pub fn tickets_of_unheld(spi: &Spi, due: &[(&str, Action, Instant)]) {
    let parts = |of: &[&(&str, Action, Instant)]| {
        [
            array(Element::Text, of.iter().map(|(account, _, _)| *account)),
            array(Element::Text, of.iter().map(|(_, action, _)| action.name())),
            array(Element::Timestamp, of.iter().map(|(_, _, at)| *at)),
        ]
    };
    let all: Vec<_> = due.iter().collect();
    let rows = spi.write_on_latest_snapshot(&LIE_READY, &parts(&all));
    let ready: HashSet<usize> = rows.iter().map(|mut row| row.value::<i32>() as usize - 1).collect();
    let missing: Vec<_> = (0..due.len()).filter(|i| !ready.contains(i)).map(|i| &due[i]).collect();
    if !missing.is_empty() {
        let [accounts, actions, at] = parts(&missing);
        spi.run(
            &ADD_ALL,
            &[array(Element::Uuid, missing.iter().map(|_| ids::fresh())), at, accounts, actions],
        );
    }
}

/// Makes sure that dispatch looks at the work of these pairs when the first of it is due: one ticket a pair.
pub(super) fn tickets(spi: &Spi, mut due: Vec<(Held<'_>, Action, Instant)>) {
    due.sort_by_key(|(_, _, at)| *at);
    let mut seen = HashSet::new();
    due.retain(|(account, action, _)| seen.insert((*account, *action)));
    if due.is_empty() {
        return;
    }
    spi.write_on_latest_snapshot(
        &ADD_MANY,
        &[
            array(Element::Uuid, due.iter().map(|_| ids::fresh())),
            array(Element::Timestamp, due.iter().map(|(_, _, at)| *at)),
            array(Element::Text, due.iter().map(|(account, _, _)| account.id())),
            array(Element::Text, due.iter().map(|(_, action, _)| action.name())),
        ],
    );
}

/// Something about the account has changed that may let it send again: its work is looked at now, of one
/// action or of all.
pub fn wake(spi: &Spi, account: Held<'_>, action: Option<Action>, now: Instant) {
    spi.write_on_latest_snapshot(&WAKE, params![account.id(), action.map(Action::name), now]);
}

/// The same for several accounts.
pub fn wake_many<'a>(spi: &Spi, accounts: impl Iterator<Item = Held<'a>>, now: Instant) {
    let ids = array(Element::Text, accounts.map(Held::id));
    spi.write_on_latest_snapshot(&WAKE_MANY, &[ids, params![now][0]]);
}

/// The same for several accounts, each with one action.
pub(super) fn wake_pairs<'a>(
    spi: &Spi,
    pairs: impl Iterator<Item = (Held<'a>, Action)> + Clone,
    now: Instant,
) {
    let accounts = array(Element::Text, pairs.clone().map(|(account, _)| account.id()));
    let actions = array(Element::Text, pairs.map(|(_, action)| action.name()));
    spi.write_on_latest_snapshot(&WAKE_PAIRS, &[now.param(), accounts, actions]);
}

/// The same for all accounts of a tier, whose caps have changed.
pub fn wake_tier(spi: &Spi, tier: &str, action: Action, now: Instant) {
    spi.write_on_latest_snapshot(&WAKE_TIER, params![tier, action.name(), now]);
}

/// The same for pairs that are not held and sleep no longer than to these instants.
pub fn wake_unheld(spi: &Spi, asleep: &[(&str, Action, Instant)], now: Instant) {
    if asleep.is_empty() {
        return;
    }
    let values = [
        now.param(),
        array(Element::Text, asleep.iter().map(|(account, _, _)| *account)),
        array(Element::Text, asleep.iter().map(|(_, action, _)| action.name())),
        array(Element::Timestamp, asleep.iter().map(|(_, _, until)| *until)),
    ];
    spi.write_on_latest_snapshot(&WAKE_UNHELD, &values);
}

/// The same for the work of a campaign that goes on.
pub fn wake_campaign(spi: &Spi, campaign: &str, now: Instant) {
    spi.write_on_latest_snapshot(&WAKE_CAMPAIGN, params![campaign, now]);
}
