//! Due enrollments of the accounts that were picked, in the order in which they are handed out, with what the journal
//! says about their prospects.

use crate::gate::look::Histories;
use crate::postgres::error::Result;
use crate::postgres::index_scan;
use crate::postgres::jsonb::Jsonb;
use crate::postgres::row;
use crate::tables::suppressions::{self, Suppressed};
use crate::verbs::dispatch::Handed;
use crate::verbs::dispatch::pick::{Outlook, Pair, Picked};
use crate::verbs::dispatch::shares::{self, AllTaken, Place, Shares};
use crate::verbs::dispatch::waiting::Waiting;
use crate::verbs::dispatch::walk::{self, Readers, Work};
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{CampaignLimit, ProspectHistory};
use sendgate_decision::turns::{Order, in_turn};
use std::collections::HashMap;

/// Most enrollments that the breaker defers in one call. The others stay due, and the next calls defer them,
/// so that no call takes long because of a backlog.
pub(super) const DEFERRALS_MAX: usize = 1_000;

/// A due enrollment.
#[derive(Clone)]
pub(super) struct Candidate {
    /// Index of its account and action.
    pub pair: usize,
    /// Whom it is for.
    pub prospect: String,
    /// Its campaign.
    pub campaign: String,
    /// Which step of it.
    pub step: i16,
    /// Its priority.
    pub priority: i16,
    /// Attempts so far.
    pub attempts: i32,
    /// What the worker gets with it.
    pub payload: Option<Jsonb>,
    /// What the journal says about the prospect.
    pub history: ProspectHistory,
    /// The prospect's suppression.
    pub suppressed: Option<Suppressed>,
    /// What its campaign may take of the account's day; none without a limit.
    pub limit: Option<CampaignLimit>,
    /// Where its row lies.
    pub at: row::Place,
}

/// Which campaigns share a pair.
pub(super) struct Sharing {
    /// The lowest priority that was looked at.
    pub lowest: i32,
    /// The priorities at which at least two campaigns have due work.
    pub shared: Vec<i32>,
    /// Those at which one waits alone for a turn that is remembered.
    pub alone: Vec<i32>,
}

/// The order of the candidates of a pair, by their places in the list: whose turn it is depends on what is handed
/// out.
pub(super) type Orders = HashMap<usize, Order<usize>>;

/// The due work of the picked accounts.
pub(super) struct Found {
    /// Due enrollments.
    pub candidates: Vec<Candidate>,
    /// How many pairs were looked at, from the first; of the others, only those whose breaker skips.
    pub reached: usize,
    /// Which pairs were looked at.
    pub looked_at: Vec<bool>,
    /// By pair, which campaigns take turns; nothing where only one campaign was asked for.
    pub sharing: HashMap<usize, Sharing>,
    /// By pair, in which order they do.
    pub orders: Orders,
    /// What campaigns have taken of the accounts' days, as far as it was counted.
    pub taken: AllTaken,
}

/// Finds due enrollments: of accounts that may send, at most `limit`; of accounts whose breaker skips, at
/// most `deferrals` that are to be deferred. The snapshot is younger than the statement that holds the accounts, so
/// that no other session can have handed out these enrollments since.
///
/// # Errors
/// `SG301` when another session has a table locked for too long.
pub(super) fn find(
    picked: &Picked,
    campaign: Option<&str>,
    (limit, deferrals): (usize, usize),
    now: Instant,
) -> Result<Found> {
    let [paused, limits, journal] = shares::tables();
    let mut found = index_scan::now(&[walk::table(), paused, limits, journal, Histories::journal()], || {
        let mut reading = Reading {
            picked,
            now,
            shares: Shares::new(campaign, AllTaken::new()),
            readers: Readers::new(),
            histories: Histories::new(),
            candidates: Vec::new(),
            orders: HashMap::new(),
        };
        let (sharing, read) = reading.read_open(limit);
        let last = reading.candidates.last().map(|candidate| candidate.pair);
        let full = read >= limit;
        let reached = if full { last.map_or(0, |pair| pair + 1) } else { picked.pairs.len() };
        let is_skipped = |pair: &Pair| matches!(pair.outlook, Outlook::Skipping);
        let skips: Vec<bool> = picked.pairs.iter().map(is_skipped).collect();
        let behind = |i: usize| matches!(picked.pairs[i].outlook, Outlook::Behind);
        let looked_at = skips.iter().enumerate().map(|(i, skips)| i < reached && !skips && !behind(i));
        let mut looked_at: Vec<bool> = looked_at.collect();
        // What the breaker skips wants no slot, so it is not kept waiting by those who take them. Where
        // there is more of it than a call defers, the rest is left as it lies.
        if deferrals > 0 && skips.contains(&true) {
            let open = reading.candidates.len();
            reading.read_skipped(deferrals);
            let skipped = &reading.candidates[open..];
            if skipped.len() < deferrals {
                (0..skips.len()).filter(|&i| skips[i]).for_each(|i| looked_at[i] = true);
            }
            skipped.iter().for_each(|candidate| looked_at[candidate.pair] = true);
        }
        let taken = reading.shares.close();
        reading.readers.close();
        reading.histories.close();
        let sharing = if campaign.is_none() { sharing } else { HashMap::new() };
        let Reading { candidates, orders, .. } = reading;
        Ok(Found { candidates, reached, looked_at, sharing, orders, taken })
    })?;
    let prospects = found.candidates.iter().map(|candidate| candidate.prospect.as_str());
    let suppressed = suppressions::of_many(prospects)?;
    for (candidate, suppressed) in found.candidates.iter_mut().zip(suppressed) {
        candidate.suppressed = suppressed;
    }
    Ok(found)
}

/// The reading of a page.
struct Reading<'a> {
    picked: &'a Picked,
    now: Instant,
    shares: Shares<'a>,
    readers: Readers,
    histories: Histories,
    candidates: Vec<Candidate>,
    orders: Orders,
}

impl<'a> Reading<'a> {
    fn place(&self, pair: &Pair) -> Place<'a> {
        let visited = &self.picked.accounts[pair.account];
        Place { account: visited.id(), action: pair.action, day: visited.day(self.now) }
    }

    /// Work of accounts that may send, until there is enough; how much of it can be handed out at most.
    fn read_open(&mut self, limit: usize) -> (HashMap<usize, Sharing>, usize) {
        let (mut sharing, mut read) = (HashMap::new(), 0);
        let picked = self.picked;
        for (i, pair) in picked.pairs.iter().enumerate() {
            let Outlook::Open(room) = pair.outlook else { continue };
            let most = limit.saturating_sub(read).min(usize::try_from(room).unwrap_or(0));
            if most == 0 {
                continue;
            }
            let place = self.place(pair);
            let mut waiting = Waiting::new(place, &mut self.shares, &mut self.readers, self.now);
            let turns = &picked.accounts[pair.account].turns[pair.action.index()];
            if !turns.is_empty() {
                waiting.expect_campaigns();
            }
            waiting.read_together(most);
            let found = in_turn(&mut waiting, turns, most);
            if let Some(lowest) = found.lowest {
                sharing.insert(i, Sharing { lowest, shared: found.shared, alone: found.alone });
            }
            let (list, order) = found.order.listed(self.candidates.len());
            read += list.len().min(most);
            self.orders.insert(i, order);
            for due in list {
                self.push(i, place, due.work);
            }
        }
        (sharing, read)
    }

    /// Work of accounts whose breaker skips.
    fn read_skipped(&mut self, deferrals: usize) {
        let before = self.candidates.len();
        let picked = self.picked;
        for (i, pair) in picked.pairs.iter().enumerate() {
            let most = deferrals.saturating_sub(self.candidates.len() - before);
            if most == 0 || !matches!(pair.outlook, Outlook::Skipping) {
                continue;
            }
            let place = self.place(pair);
            let mut waiting = Waiting::new(place, &mut self.shares, &mut self.readers, self.now);
            for work in waiting.oldest_of_all(most) {
                self.push(i, place, work);
            }
        }
    }

    fn push(&mut self, pair: usize, place: Place<'_>, work: Work) {
        let history = self.histories.of(place.account, place.action, &work.prospect);
        let Work { priority, campaign, prospect, step, attempts, payload, limit, at, .. } = work;
        self.candidates.push(Candidate {
            pair,
            prospect,
            campaign,
            step,
            priority,
            attempts,
            payload,
            history,
            suppressed: None,
            limit,
            at,
        });
    }
}

/// Candidates after others of their batch were handed out: those prospects have an operation in flight, and those
/// campaigns have taken more of the day.
pub(super) fn in_the_light_of(handed: &[Handed], picked: &Picked, batch: &[Candidate]) -> Vec<Candidate> {
    let mut batch = batch.to_vec();
    for candidate in &mut batch {
        let pair = &picked.pairs[candidate.pair];
        let id = picked.accounts[pair.account].id();
        for row in handed.iter().filter(|row| row.account == id && row.action == pair.action) {
            candidate.history.unresolved |= row.prospect == candidate.prospect;
            if let Some(limit) = candidate.limit.as_mut().filter(|_| row.campaign == candidate.campaign) {
                limit.taken += 1;
            }
        }
    }
    batch
}
