//! What a batch of enrollments comes to: decided in memory, by the same pure rule as `reserve`.

use crate::gate::known_credits;
use crate::gate::rule::{Asked, Rule, ask};
use crate::postgres::error::Result;
use crate::postgres::ids;
use crate::tables::accounts::turns::AllTurns;
use crate::tables::suppressions;
use crate::verbs::dispatch::candidates::{Candidate, Orders, Sharing};
use crate::verbs::dispatch::pick::{Outlook, Pair, Visited};
use sendgate_decision::account::Account;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::gate::{CampaignLimit, Grant, ProspectHistory, Refusal, Verdict};
use sendgate_decision::names::{Action, OperationId, Reason};
use std::collections::HashMap;

/// A slot for an enrollment.
pub(super) struct Slot {
    /// Its operation.
    pub operation: OperationId,
    /// Until when it is in flight.
    pub expires_at: Instant,
    /// The day it counts on.
    pub counted_on: Day,
    /// Whether other work waits for it already.
    pub awaited: bool,
    /// Whether no known credit was left for it.
    pub beyond_credits: bool,
}

impl Slot {
    /// Tells the account, for what is decided about it next, until when the InMail is in flight.
    pub fn is_in_flight_on(&self, visited: &mut Visited, action: Action) {
        if action == Action::Inmail {
            visited.first_expiry = visited.first_expiry.into_iter().chain(Some(self.expires_at)).min();
        }
    }
}

/// What becomes of an enrollment.
pub(super) enum Fate {
    /// It is handed out.
    Granted(Slot),
    /// A rule about its prospect refuses until this instant; none = until an operation is settled.
    Postponed(Reason, Option<Instant>),
    /// Its prospect is suppressed for good, since this instant: cancelled, and logged.
    Spared(Instant),
    /// The breaker skips it: deferred to this instant, the next credit period, and logged.
    Skipped(Instant),
}

impl Fate {
    /// The rule that refuses; none where it is granted.
    pub fn reason(&self) -> Option<Reason> {
        match self {
            Fate::Granted(_) => None,
            Fate::Postponed(reason, _) => Some(*reason),
            Fate::Spared(_) => Some(Reason::ProspectSuppressed),
            Fate::Skipped(_) => Some(Reason::CreditsExhausted),
        }
    }
}

/// An account's breaker that clears on the way.
pub(super) struct Clearing {
    /// Index of the account.
    pub account: usize,
    /// Why.
    pub reason: ClearReason,
    /// The stamp that is cleared.
    pub exhausted_at: Option<Instant>,
}

/// What is to be written.
pub(super) struct Plan {
    /// The accounts afterwards; none where nothing changes.
    pub accounts: Vec<Option<Account>>,
    /// The fate of candidates, by their index; all others stay as they are.
    pub fates: Vec<(usize, Fate)>,
    /// Breakers that clear.
    pub clearings: Vec<Clearing>,
    /// Accounts, by their index, whose breakers are stamped because no known credits are left.
    pub spent: Vec<usize>,
    /// Whose turn it is afterwards, by account; none where that does not change.
    pub turns: Vec<Option<AllTurns>>,
    /// Refusals of whole accounts, by pair.
    pub refusals: HashMap<usize, Refusal>,
    /// The plan holds if it is written before this instant.
    pub valid_until: Instant,
}

impl Plan {
    /// Whether the suppressions that it was made by are those of now: its write may have waited, and a
    /// suppression holds from its commit. They are looked up again only if the list has changed since it had
    /// the number that was `told`.
    ///
    /// # Errors
    /// `SG301` when another session has the table of suppressions locked for too long.
    pub fn suppresses_as_now(&self, batch: &[Candidate], told: u64) -> Result<bool> {
        if suppressions::changes() == told {
            return Ok(true);
        }
        let decided = || self.fates.iter().map(|(i, _)| &batch[*i]);
        let found = suppressions::of_many(decided().map(|candidate| candidate.prospect.as_str()))?;
        Ok(decided().zip(found).all(|(candidate, found)| candidate.suppressed == found))
    }
}

/// The state of the deciding.
struct Deciding<'a> {
    visited: &'a [Visited],
    pairs: &'a [Pair],
    now: Instant,
    plan: Plan,
    /// Slots of this plan for campaigns with a limit, by pair and campaign.
    parts: HashMap<(usize, &'a str), i32>,
    /// Operations of this plan, by account, action and prospect: for later candidates they are in flight.
    taken: HashMap<(usize, Action, &'a str), usize>,
    /// When the first unanswered InMail of each account expires, those of this plan included.
    in_flight: Vec<Option<Instant>>,
}

/// The candidates one after the other.
struct Sequence<'a> {
    candidates: &'a [Candidate],
    orders: Orders,
    at: usize,
}

impl Sequence<'_> {
    fn next(&mut self) -> Option<usize> {
        while let Some(candidate) = self.candidates.get(self.at) {
            let Some(order) = self.orders.get_mut(&candidate.pair) else {
                self.at += 1;
                return Some(self.at - 1);
            };
            if let Some(next) = order.next_due() {
                return Some(next.work);
            }
            // What comes next of this pair depends on work that was not read.
            let others = self.candidates[self.at..].iter().position(|other| other.pair != candidate.pair);
            self.at = others.map_or(self.candidates.len(), |others| self.at + others);
        }
        None
    }

    /// The next one of this pair is another campaign's.
    fn handed_out(&mut self, pair: usize) {
        if let Some(order) = self.orders.get_mut(&pair) {
            order.handed_out();
        }
    }
}

/// Decides about the candidates, where there are `orders` by these, else as they lie; at most `room` slots are taken.
pub(super) fn decide<'a>(
    rule: &'a Rule,
    visited: &'a [Visited],
    pairs: &'a [Pair],
    (candidates, sharing, orders): (&'a [Candidate], &HashMap<usize, Sharing>, Orders),
    room: usize,
    now: Instant,
) -> Plan {
    let plan = Plan {
        accounts: visited.iter().map(|_| None).collect(),
        turns: visited.iter().map(|_| None).collect(),
        fates: Vec::new(),
        clearings: Vec::new(),
        spent: Vec::new(),
        refusals: HashMap::new(),
        valid_until: Instant::MAX,
    };
    let in_flight = visited.iter().map(|visited| visited.first_expiry).collect();
    let (parts, taken) = (HashMap::new(), HashMap::new());
    let mut deciding = Deciding { visited, pairs, now, plan, parts, taken, in_flight };
    let mut asked: Option<(usize, Asked<'_>)> = None;
    let mut granted = 0;
    let mut sequence = Sequence { candidates, orders, at: 0 };
    while let Some(i) = sequence.next() {
        let candidate = &candidates[i];
        // A skip needs no slot, so it is deferred even when the worker has enough.
        if granted == room && !matches!(pairs[candidate.pair].outlook, Outlook::Skipping) {
            continue;
        }
        if deciding.plan.refusals.contains_key(&candidate.pair) {
            continue;
        }
        if asked.as_ref().is_none_or(|(pair, _)| *pair != candidate.pair) {
            let pair = &pairs[candidate.pair];
            // A pair that cannot be decided was found when it was picked.
            let visited = &visited[pair.account];
            let Ok(found) = ask(rule, visited.id(), &visited.row, visited.evidence, pair.action, now) else {
                continue;
            };
            found.in_flight_until(deciding.in_flight[pair.account]);
            asked = Some((candidate.pair, found));
        }
        if let Some((_, asked)) = &asked
            && deciding.take(i, candidate, asked)
        {
            granted += 1;
            sequence.handed_out(candidate.pair);
        }
    }
    deciding.take_turns(candidates, sharing);
    deciding.plan
}

impl<'a> Deciding<'a> {
    fn account(&mut self, i: usize) -> &mut Account {
        self.plan.accounts[i].get_or_insert_with(|| self.visited[i].row.account.clone())
    }

    /// Decides about one candidate; whether it got a slot.
    fn take(&mut self, i: usize, candidate: &'a Candidate, asked: &Asked<'_>) -> bool {
        let pair = &self.pairs[candidate.pair];
        let key = (pair.account, pair.action, candidate.prospect.as_str());
        let taken = self.taken.get(&key).copied();
        let history = match taken {
            Some(_) => ProspectHistory { unresolved: true, ..candidate.history },
            None => candidate.history,
        };
        let suppressed = candidate.suppressed.map(|found| found.rule);
        let part = (candidate.pair, candidate.campaign.as_str());
        let granted = self.parts.get(&part).copied().unwrap_or(0);
        let limit = candidate.limit.map(|limit| CampaignLimit { taken: limit.taken + granted, ..limit });
        let operation = ids::fresh();
        loop {
            let current = self.plan.accounts[pair.account].as_ref();
            let account = current.unwrap_or(&self.visited[pair.account].row.account);
            match asked.decide(account, operation, Some(history), suppressed, limit) {
                Verdict::ClearBreaker(reason) => self.clear(pair.account, reason),
                Verdict::ArmBreaker => self.arm(pair.account),
                // The days and credits of every account that was picked are counted.
                Verdict::NeedsCount | Verdict::NeedsPeriod => return false,
                Verdict::Grant(grant) => {
                    let slot = Slot {
                        operation,
                        expires_at: grant.expires_at,
                        counted_on: grant.counted_on,
                        awaited: false,
                        beyond_credits: grant.beyond_credits,
                    };
                    if pair.action == Action::Inmail {
                        asked.in_flight_until(Some(grant.expires_at));
                        let first = &mut self.in_flight[pair.account];
                        *first = (*first).into_iter().chain(Some(grant.expires_at)).min();
                    }
                    if limit.is_some() {
                        self.parts.insert(part, granted + 1);
                    }
                    self.taken.insert(key, self.plan.fates.len());
                    self.plan.fates.push((i, Fate::Granted(slot)));
                    self.grant(pair.account, *grant);
                    return true;
                }
                Verdict::Refuse(refusal) => {
                    self.refuse(i, candidate, refusal, taken);
                    return false;
                }
            }
        }
    }

    fn grant(&mut self, account: usize, grant: Grant) {
        self.plan.valid_until = self.plan.valid_until.min(grant.valid_until);
        self.plan.accounts[account] = Some(grant.account);
    }

    /// Remembers which campaigns were handed out last, where several share an account.
    fn take_turns(&mut self, candidates: &[Candidate], sharing: &HashMap<usize, Sharing>) {
        let mut granted: HashMap<usize, Vec<&Candidate>> = HashMap::new();
        for (i, fate) in &self.plan.fates {
            if let Fate::Granted(_) = fate {
                granted.entry(candidates[*i].pair).or_default().push(&candidates[*i]);
            }
        }
        for (i, granted) in granted {
            let Some(Sharing { lowest, shared, alone }) = sharing.get(&i) else { continue };
            let (account, action) = (self.pairs[i].account, self.pairs[i].action.index());
            let before = self.plan.turns[account].as_ref().unwrap_or(&self.visited[account].turns);
            if shared.is_empty() && before[action].is_empty() {
                continue;
            }
            let mut after = before.clone();
            for candidate in granted.iter().filter(|c| shared.contains(&i32::from(c.priority))) {
                after[action].handed_out(i32::from(candidate.priority), &candidate.campaign);
            }
            let waits = |priority| !granted.iter().any(|c| i32::from(c.priority) == priority);
            after[action].forget(*lowest, |priority| {
                shared.contains(&priority) || alone.contains(&priority) && waits(priority)
            });
            if after[action] != before[action] {
                self.plan.turns[account] = Some(after);
            }
        }
    }

    fn clear(&mut self, account: usize, reason: ClearReason) {
        let now = self.now;
        let row = self.account(account);
        row.roll(now);
        let exhausted_at = row.breaker.exhausted_at;
        row.breaker.clear(now);
        self.plan.clearings.push(Clearing { account, reason, exhausted_at });
    }

    fn arm(&mut self, account: usize) {
        let now = self.now;
        let row = self.account(account);
        row.roll(now);
        known_credits::arm(row, now);
        self.plan.spent.push(account);
    }

    fn refuse(&mut self, i: usize, candidate: &Candidate, refusal: Refusal, taken: Option<usize>) {
        // Without a stamp an InMail only waits for those that are in flight, and the account with it.
        let of = self.pairs[candidate.pair].account;
        let account = self.plan.accounts[of].as_ref().unwrap_or(&self.visited[of].row.account);
        let stamped = account.breaker.exhausted_at.is_some();
        match (refusal.reason, refusal.retry_at) {
            (Reason::ProspectSuppressed, None) => {
                let since = candidate.suppressed.map_or(self.now, |found| found.since);
                self.plan.fates.push((i, Fate::Spared(since)));
            }
            (reason @ Reason::ProspectSuppressed, retry_at) => {
                self.plan.fates.push((i, Fate::Postponed(reason, retry_at)));
            }
            (Reason::CreditsExhausted, Some(retry_at)) if stamped => {
                self.plan.fates.push((i, Fate::Skipped(retry_at)))
            }
            // Its other work is as far as this. What is not read at all waits like this, without a trace.
            (Reason::CampaignLimitReached, _) => {}
            (reason @ (Reason::OperationInFlight | Reason::ProspectCooldown), retry_at) => {
                if let Some((_, Fate::Granted(slot))) = taken.and_then(|at| self.plan.fates.get_mut(at)) {
                    slot.awaited = true;
                }
                self.plan.fates.push((i, Fate::Postponed(reason, retry_at)));
            }
            _ => {
                self.plan.refusals.insert(candidate.pair, refusal);
            }
        }
    }
}
