//! Puts the tickets of the accounts that were looked at where they belong.

use crate::gate::refusals;
use crate::postgres::error::Result;
use crate::postgres::ids::Id;
use crate::postgres::index_scan;
use crate::postgres::param::{Element, Param, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::campaigns;
use crate::tables::config;
use crate::tables::dispatch_queue::SLEEP_MAX;
use crate::verbs::dispatch::pick::{Outlook, Picked};
use crate::verbs::dispatch::shares::{self, Place, Shares};
use crate::verbs::dispatch::waiting::{self, NextDue, Waiting};
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Reason;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Locks the picked tickets that no enqueue holds. Locked tickets, and those that were added since the pick,
/// stay due. Also returns whether the pair has another due ticket.
static HOLD: Statement = Statement::new(
    "SELECT u.pair, q.ticket_id,
         EXISTS (
             SELECT FROM sendgate.dispatch_queue o
             WHERE o.account_id OPERATOR(pg_catalog.=) q.account_id AND o.action OPERATOR(pg_catalog.=) q.action
               AND o.ticket_id OPERATOR(pg_catalog.<>) q.ticket_id
               AND o.due_at OPERATOR(pg_catalog.<=) $5)
     FROM unnest($1::pg_catalog.int4[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                 $4::pg_catalog.uuid[]) AS u (pair, account_id, action, ticket_id)
     JOIN sendgate.dispatch_queue q
         ON q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
            AND q.ticket_id OPERATOR(pg_catalog.=) u.ticket_id
            AND q.due_at OPERATOR(pg_catalog.<=) $5
     FOR UPDATE OF q SKIP LOCKED",
    types![int4s, texts, texts, uuids, instant],
);

static PAUSED: Statement = Statement::new("SELECT pg_catalog.count(*) FROM sendgate.paused_campaigns p", &[]);

/// Until this transaction ends, no session resumes a campaign: `resume_campaign` waits, and then finds the
/// work whose ticket was moved because of the pause.
static KEEP_PAUSED: Statement =
    Statement::new("SELECT 1 FROM sendgate.paused_campaigns p FOR KEY SHARE SKIP LOCKED", &[]);

const MOVE_TYPES: &[pg_sys::Oid] = types![texts, texts, uuids, instants];

static MOVE: Statement = Statement::new(
    "UPDATE sendgate.dispatch_queue q SET due_at = u.due_at
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.uuid[],
                            $4::pg_catalog.timestamptz[])
          AS u (account_id, action, ticket_id, due_at)
     WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
       AND q.ticket_id OPERATOR(pg_catalog.=) u.ticket_id
       AND q.due_at OPERATOR(pg_catalog.<>) u.due_at",
    MOVE_TYPES,
);

static DROP: Statement = Statement::new(
    "DELETE FROM sendgate.dispatch_queue q
     USING unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.uuid[])
          AS u (account_id, action, ticket_id)
     WHERE q.account_id OPERATOR(pg_catalog.=) u.account_id AND q.action OPERATOR(pg_catalog.=) u.action
       AND q.ticket_id OPERATOR(pg_catalog.=) u.ticket_id",
    types![texts, texts, uuids],
);

/// A ticket that is held: its pair and its id.
type Ticket = (usize, Id);

/// The tickets that are held.
struct Tickets {
    all: Vec<Ticket>,
    /// Pairs with another due ticket, so ours can be deleted. No session deletes the other one meanwhile,
    /// because the account is held.
    spare: HashSet<usize>,
}

/// Moves the tickets of refused accounts to the time at which the rule stops refusing, and the others to the
/// time at which their next work is due. One ticket a pair remains, or none without work. `false`, and no
/// ticket is moved, when the configuration is no longer that of `changes`: the rules are to be asked again.
pub(super) fn put_back(
    spi: &Spi,
    picked: &Picked,
    looked_at: &[bool],
    refused: &HashMap<usize, Option<Instant>>,
    changes: u64,
    now: Instant,
) -> Result<bool> {
    let looked_at: Vec<usize> = (0..looked_at.len()).filter(|&i| looked_at[i]).collect();
    if looked_at.is_empty() {
        return Ok(true);
    }
    let tickets = hold(spi, picked, &looked_at, now);
    if config::changes() != changes {
        return Ok(false);
    }
    let mut due = HashMap::new();
    let open = |i: &usize| !tickets.spare.contains(i);
    for i in tickets.all.iter().map(|&(i, _)| i).filter(open) {
        let refusal = match picked.pairs[i].outlook {
            Outlook::Refused(_, until) => Some(until),
            Outlook::Undecidable(_) => Some(None),
            _ => refused.get(&i).copied(),
        };
        if let Some(until) = refusal {
            due.insert(i, Some(asleep(until, now)));
        }
    }
    count_refusals(picked, due.keys());
    let open: HashSet<usize> =
        tickets.all.iter().map(|&(i, _)| i).filter(open).filter(|i| !due.contains_key(i)).collect();
    due.extend(next_due(spi, picked, &open.into_iter().collect::<Vec<_>>(), now)?);
    write(spi, picked, &tickets.all, &due);
    Ok(true)
}

/// Counts refusals of whole accounts, whose enrollments were not asked about one by one.
fn count_refusals<'a>(picked: &Picked, pairs: impl Iterator<Item = &'a usize>) {
    for pair in pairs.map(|&i| &picked.pairs[i]) {
        if let Outlook::Refused(reason, _) = pair.outlook {
            refusals::count(pair.action, reason);
        }
    }
}

/// On the latest snapshot: at REPEATABLE READ the transaction's own may show tickets that are gone.
fn hold(spi: &Spi, picked: &Picked, pairs: &[usize], now: Instant) -> Tickets {
    let all: Vec<Ticket> =
        pairs.iter().flat_map(|&i| picked.pairs[i].tickets.iter().map(move |ticket| (i, *ticket))).collect();
    let [accounts, actions] = keys(picked, all.iter().map(|(i, _)| *i));
    let values = [
        array(Element::Int4, all.iter().map(|(i, _)| *i as i32)),
        accounts,
        actions,
        array(Element::Uuid, all.iter().map(|(_, ticket)| *ticket)),
        params![now][0],
    ];
    let rows = spi.write_on_latest_snapshot(&HOLD, &values);
    let (mut all, mut seen, mut spare) = (Vec::new(), HashSet::new(), HashSet::new());
    for mut row in rows.iter() {
        let (pair, id) = (row.value::<i32>() as usize, row.nullable_uuid().unwrap_or_default());
        let has_another = row.value::<bool>();
        if seen.insert(pair) && has_another {
            spare.insert(pair);
        } else {
            spare.remove(&pair);
        }
        all.push((pair, id));
    }
    Tickets { all, spare }
}

/// Until then, but not longer than a ticket sleeps.
fn asleep(until: Option<Instant>, now: Instant) -> Instant {
    let latest = now.plus(SLEEP_MAX);
    until.map_or(latest, |until| until.clamp(now, latest))
}

fn keys(picked: &Picked, pairs: impl Iterator<Item = usize> + Clone) -> [Param; 2] {
    let id = |i: usize| picked.accounts[picked.pairs[i].account].id();
    [
        array(Element::Text, pairs.clone().map(id)),
        array(Element::Text, pairs.map(|i| picked.pairs[i].action.name())),
    ]
}

/// When each pair is to be looked at next; none where nothing is going to be due by itself. What waits for an
/// event gets its ticket from that event. Read when the tickets are held, so that no work is missed that relies on
/// one of them.
fn next_due(
    spi: &Spi,
    picked: &Picked,
    pairs: &[usize],
    now: Instant,
) -> Result<HashMap<usize, Option<Instant>>> {
    if pairs.is_empty() {
        return Ok(HashMap::new());
    }
    let [paused, limits, journal] = shares::tables();
    let found = index_scan::latest(&[waiting::table(), paused, limits, journal], || {
        let mut shares = Shares::new(None);
        let of_pair = |&i: &usize| {
            let pair = &picked.pairs[i];
            let visited = &picked.accounts[pair.account];
            let place = Place { account: visited.id(), action: pair.action, day: visited.day(now) };
            (i, Waiting::new(place, &mut shares, now).next_due())
        };
        Ok(pairs.iter().map(of_pair).collect::<Vec<_>>())
    })?;
    let is_resumed = found.iter().any(|(_, next)| next.as_ref().is_some_and(|next| next.is_paused))
        && is_being_resumed(spi);
    let limited: BTreeSet<&str> = found
        .iter()
        .filter_map(|(_, next)| next.as_ref())
        .flat_map(|next| next.limited.iter().map(String::as_str))
        .collect();
    let is_changed = !limited.is_empty() && !campaigns::keep_limits(spi, limited.iter().copied());
    let mut due = HashMap::new();
    for (i, next) in &found {
        let at = next.as_ref().and_then(|next| {
            let is_moving = next.is_paused && is_resumed || !next.limited.is_empty() && is_changed;
            if is_moving {
                Some(next.of_any)
            } else {
                next.of_open.into_iter().chain(midnight(next, picked, *i, now)).min()
            }
        });
        if next.as_ref().is_some_and(|next| !next.limited.is_empty()) {
            refusals::count(picked.pairs[*i].action, Reason::CampaignLimitReached);
        }
        due.insert(*i, at.map(|at| asleep(Some(at), now)));
    }
    Ok(due)
}

/// When campaigns that have taken their part of the day are to be looked at again; none where there are none. A
/// limit of 0 waits for an operator, who wakes the work; it is looked at all the same, once a day.
fn midnight(next: &NextDue, picked: &Picked, pair: usize, now: Instant) -> Option<Instant> {
    let visited = &picked.accounts[picked.pairs[pair].account];
    (!next.limited.is_empty()).then(|| visited.day(now).next().start())
}

/// Whether a session is about to resume a campaign: its work then counts as not paused, so that dispatch
/// looks at it again until the resume has committed or failed.
fn is_being_resumed(spi: &Spi) -> bool {
    let paused = spi.run_on_latest_snapshot(&PAUSED, &[]).first().map_or(0, |mut row| row.value::<i64>());
    (spi.run(&KEEP_PAUSED, &[]).count() as i64) < paused
}

fn write(spi: &Spi, picked: &Picked, tickets: &[Ticket], due: &HashMap<usize, Option<Instant>>) {
    let mut first = HashSet::new();
    let (kept, dropped): (Vec<Ticket>, Vec<Ticket>) =
        tickets.iter().partition(|(i, _)| due.get(i).copied().flatten().is_some() && first.insert(*i));
    let parts = |of: &[Ticket]| {
        let [accounts, actions] = keys(picked, of.iter().map(|(i, _)| *i));
        [accounts, actions, array(Element::Uuid, of.iter().map(|(_, ticket)| *ticket))]
    };
    if !kept.is_empty() {
        let at = array(Element::Timestamp, kept.iter().map(|(i, _)| due.get(i).copied().flatten()));
        let [accounts, actions, ids] = parts(&kept);
        spi.run(&MOVE, &[accounts, actions, ids, at]);
    }
    if !dropped.is_empty() {
        spi.run(&DROP, &parts(&dropped));
    }
}
