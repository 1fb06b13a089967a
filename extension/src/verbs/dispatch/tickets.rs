//! Puts the tickets of the accounts that were looked at where they belong.

use crate::gate::refusals;
use crate::postgres::error::Result;
use crate::postgres::index_scan;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::campaigns;
use crate::tables::config;
use crate::tables::dispatch_queue::SLEEP_MAX;
use crate::verbs::dispatch::pick::{Outlook, Picked};
use crate::verbs::dispatch::queue::Tickets;
use crate::verbs::dispatch::shares::{self, AllTaken, Place, Shares};
use crate::verbs::dispatch::waiting::{NextDue, Waiting};
use crate::verbs::dispatch::walk::{self, Readers};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Reason;
use std::collections::{BTreeSet, HashMap, HashSet};

static PAUSED: Statement = Statement::new("SELECT pg_catalog.count(*) FROM sendgate.paused_campaigns p", &[]);

/// Until this transaction ends, no session resumes a campaign: `resume_campaign` waits, and then finds the
/// work whose ticket was moved because of the pause.
static KEEP_PAUSED: Statement =
    Statement::new("SELECT 1 FROM sendgate.paused_campaigns p FOR KEY SHARE SKIP LOCKED", &[]);

/// Moves the tickets of refused accounts to the time at which the rule stops refusing, and the others to the
/// time at which their next work is due. One ticket a pair remains, or none without work. `false`, and no
/// ticket is moved, when the configuration is no longer that of `changes`: the rules are to be asked again.
pub(super) fn put_back(
    spi: &Spi,
    picked: &Picked,
    (looked_at, taken): (&[bool], AllTaken),
    refused: &HashMap<usize, Option<Instant>>,
    changes: u64,
    now: Instant,
) -> Result<bool> {
    let looked_at: Vec<usize> = (0..looked_at.len()).filter(|&i| looked_at[i]).collect();
    if looked_at.is_empty() {
        return Ok(true);
    }
    let tickets = Tickets::hold(spi, picked, &looked_at, now);
    if config::changes() != changes {
        tickets.let_go();
        return Ok(false);
    }
    let mut due = HashMap::new();
    let open = |i: &usize| !tickets.spare.contains(i);
    for i in tickets.all.iter().map(|ticket| ticket.pair).filter(open) {
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
        tickets.all.iter().map(|ticket| ticket.pair).filter(open).filter(|i| !due.contains_key(i)).collect();
    due.extend(next_due(spi, picked, &open.into_iter().collect::<Vec<_>>(), taken, now)?);
    tickets.write(spi, picked, &due);
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

/// Until then, but not longer than a ticket sleeps.
fn asleep(until: Option<Instant>, now: Instant) -> Instant {
    let latest = now.plus(SLEEP_MAX);
    until.map_or(latest, |until| until.clamp(now, latest))
}

/// When each pair is to be looked at next; none where nothing is going to be due by itself. What waits for an
/// event gets its ticket from that event. Read when the tickets are held, so that no work is missed that relies on
/// one of them.
fn next_due(
    spi: &Spi,
    picked: &Picked,
    pairs: &[usize],
    taken: AllTaken,
    now: Instant,
) -> Result<HashMap<usize, Option<Instant>>> {
    if pairs.is_empty() {
        return Ok(HashMap::new());
    }
    let [paused, limits, journal] = shares::tables();
    let found = index_scan::latest(&[walk::table(), paused, limits, journal], || {
        let (mut shares, mut readers) = (Shares::new(None, taken), Readers::new());
        let of_pair = |&i: &usize| {
            let pair = &picked.pairs[i];
            let visited = &picked.accounts[pair.account];
            let place = Place { account: visited.id(), action: pair.action, day: visited.day(now) };
            (i, Waiting::new(place, &mut shares, &mut readers, now).next_due())
        };
        let found = pairs.iter().map(of_pair).collect::<Vec<_>>();
        shares.close();
        readers.close();
        Ok(found)
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
