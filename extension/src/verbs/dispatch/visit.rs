//! Goes round the accounts until the worker has enough, or nothing more may be sent.

use crate::gate::refusals;
use crate::gate::rule::Rule;
use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::shown;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::postgres::subtransaction::{Attempt, attempt};
use crate::tables::alerts;
use crate::tables::config;
use crate::tables::journal;
use crate::verbs::dispatch::batch::Batch;
use crate::verbs::dispatch::candidates::{self, Candidate, DEFERRALS_MAX, Found, Orders, Sharing};
use crate::verbs::dispatch::due::Cursor;
use crate::verbs::dispatch::paced::{self, Passed};
use crate::verbs::dispatch::pages;
use crate::verbs::dispatch::pick::{Outlook, Picked};
use crate::verbs::dispatch::plan::{Fate, Plan, decide};
use crate::verbs::dispatch::tickets;
use crate::verbs::dispatch::write;
use crate::verbs::dispatch::{Filter, Handed};
use sendgate_decision::clock::Instant;
use std::collections::HashMap;

/// Most due enrollments that are read for one account in one round.
const CANDIDATES_MAX: usize = 1_000;

/// How often a call starts again because the configuration or the day had moved on before it wrote.
const OVERTAKEN_MAX: usize = 16;

/// Most enrollments that a call postpones: the accounts are held meanwhile, and the next call goes on.
const MOVED_MAX: usize = 10_000;

static PARK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'parked', next_dispatch_at = NULL, reason = 'poisoned', error = $5, changed_at = $6
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $7",
    types![text, text, text, text, text, instant, int2],
);

/// A call of `dispatch` on its way.
pub(super) struct Visit<'a> {
    spi: &'a Spi,
    max: usize,
    filter: &'a Filter<'a>,
    handed: Vec<Handed>,
    rule: Rule,
    /// The configuration's number when it was read.
    changes: u64,
    /// Enrollments that were moved without being handed out: there may be others behind them.
    moved: usize,
    /// Enrollments that the breaker deferred.
    deferred: usize,
    passed: Passed,
}

/// Accounts that are held, and their due work.
struct Page {
    picked: Picked,
    found: Found,
    /// When they were looked at.
    now: Instant,
}

/// Which page is to be read.
struct NextPage<'a> {
    /// After this ticket.
    from: &'a Cursor,
    /// Tickets that were due at this instant.
    until: Instant,
    /// So many tickets at most.
    tickets: usize,
    /// So many enrollments at most.
    limit: usize,
}

/// How far a look at a page went.
enum Looked {
    /// Up to this ticket; none when there are no more.
    UpTo(Option<Cursor>),
    /// Nowhere: the plan was overtaken.
    Overtaken,
}

/// Enrollments to be decided about, and which campaigns share their accounts.
type Work<'a> = (&'a [Candidate], &'a HashMap<usize, Sharing>);

/// How writing a batch ended.
enum Written {
    /// It stands.
    Done,
    /// The day, a window or the configuration had moved on; nothing is written.
    Overtaken,
}

impl<'a> Visit<'a> {
    /// A call for at most `max` slots.
    pub fn new(spi: &'a Spi, max: usize, filter: &'a Filter<'a>) -> Visit<'a> {
        let changes = config::changes();
        let rule = Rule::new(config::current(spi));
        let passed = Passed::new();
        Visit { spi, max, filter, handed: Vec::new(), rule, changes, moved: 0, deferred: 0, passed }
    }

    /// Goes round until there is enough, or until a round neither finds nor moves anything.
    pub fn run(mut self) -> Result<Vec<Handed>> {
        let (mut overtaken, mut round) = (0, 0);
        while self.wanted() > 0 && !self.rule.config.paused() {
            let (moved, passed) = (self.moved, self.passed.len());
            match self.go_round(round)? {
                Written::Done if self.moved > moved && self.moved < MOVED_MAX => round += 1,
                Written::Done if self.passed.len() > passed => (),
                Written::Done => break,
                Written::Overtaken => {
                    overtaken += 1;
                    if overtaken == OVERTAKEN_MAX {
                        return Err(undecided());
                    }
                    self.changes = config::changes();
                    self.rule = Rule::new(config::current(self.spi));
                }
            }
        }
        Ok(self.handed)
    }

    fn wanted(&self) -> usize {
        self.max - self.handed.len()
    }

    /// Looks at every due ticket once, or until there is enough.
    fn go_round(&mut self, round: u32) -> Result<Written> {
        let (mut from, until) = (Cursor::start(), clock::now());
        // Each round reads further ahead: the one before met many prospects that cannot be sent to.
        let ahead = 4usize.saturating_pow(round).min(CANDIDATES_MAX);
        let mut times = 1;
        while self.wanted() > 0 {
            let tickets = pages::tickets_for(self.wanted(), times);
            let handed = self.handed.len();
            let limit = self.wanted().saturating_mul(ahead).min(CANDIDATES_MAX);
            match self.look(&NextPage { from: &from, until, tickets, limit })? {
                Looked::Overtaken => return Ok(Written::Overtaken),
                Looked::UpTo(Some(last)) => from = last,
                Looked::UpTo(None) => break,
            }
            times = if self.handed.len() == handed { times.saturating_mul(4) } else { 1 };
        }
        Ok(Written::Done)
    }

    /// Hands out what the accounts of a page may send.
    fn look(&mut self, next: &NextPage<'_>) -> Result<Looked> {
        let mut refused = HashMap::new();
        let handed = self.handed.len();
        let mut page = match self.take(next)? {
            Attempt::Kept((mut page, plan)) => {
                if let Some(plan) = plan {
                    self.keep(&mut page.picked, &page.found.candidates, plan, &mut refused);
                }
                page
            }
            Attempt::TakenBack => return Ok(Looked::Overtaken),
            Attempt::Failed(_) => {
                // One of them cannot be written. Which one is found out while the accounts are held.
                let mut page = self.read(next)?;
                let (picked, now) = (&mut page.picked, page.now);
                if let Written::Overtaken =
                    self.settle(picked, (&page.found.candidates, &page.found.sharing), &mut refused, now)?
                {
                    return Ok(Looked::Overtaken);
                }
                page
            }
        };
        pages::learn(&self.handed[handed..], self.wanted());
        let Page { picked, found, now } = &mut page;
        let handed = &self.handed[handed..];
        for row in handed {
            if let Some(taken) = found.taken.get_mut(&row.account) {
                taken.add(&row.campaign, row.action);
            }
        }
        paced::take_turns(&self.rule, picked, found, *now, &refused, handed, &mut self.passed);
        self.put_back(page, &refused)
    }

    /// Holds the accounts of a page and reads their due work.
    fn read(&self, next: &NextPage<'_>) -> Result<Page> {
        let at = (next.from, next.until);
        let (picked, now) = paced::pick(self.spi, &self.rule, self.filter, at, next.tickets, &self.passed)?;
        let deferrals = DEFERRALS_MAX.saturating_sub(self.deferred);
        let found = candidates::find(&picked, self.filter.campaign, (next.limit, deferrals), now)?;
        Ok(Page { picked, found, now })
    }

    /// Reads a page and writes what it comes to, in one subtransaction: an account that was held in
    /// another one than it is written in would take a MultiXact.
    fn take(&self, next: &NextPage<'_>) -> Result<Attempt<(Page, Option<Plan>)>> {
        attempt(|| {
            let mut page = self.read(next)?;
            if page.found.candidates.is_empty() {
                return Ok(Some((page, None)));
            }
            let orders = std::mem::take(&mut page.found.orders);
            let found = &page.found;
            let work = (found.candidates.as_slice(), &found.sharing);
            let plan = self.write(&page.picked, work, orders, (page.now, true))?;
            Ok(plan.map(|plan| (page, Some(plan))))
        })
    }

    /// Decides about a batch and writes it; none when it was overtaken meanwhile. In a subtransaction.
    fn write(
        &self,
        picked: &Picked,
        batch: Work<'_>,
        orders: Orders,
        (now, is_straight): (Instant, bool),
    ) -> Result<Option<Plan>> {
        let work = (batch.0, batch.1, orders);
        let plan = decide(&self.rule, &picked.accounts, &picked.pairs, work, self.wanted(), now);
        let parts =
            Batch { visited: &picked.accounts, pairs: &picked.pairs, candidates: batch.0, now, is_straight };
        write::write(self.spi, &parts, &plan);
        let holds = clock::now() < plan.valid_until && config::changes() == self.changes;
        Ok((holds && plan.suppresses_as_now(batch.0, picked.told)?).then_some(plan))
    }

    /// Puts the tickets of a page where they belong.
    fn put_back(&mut self, page: Page, refused: &HashMap<usize, Option<Instant>>) -> Result<Looked> {
        let Page { picked, found, now } = page;
        let looked_at = (found.looked_at.as_slice(), found.taken);
        if !tickets::put_back(self.spi, &picked, looked_at, refused, self.changes, now)? {
            return Ok(Looked::Overtaken);
        }
        self.raise_alerts(&picked, now);
        // After the last pair reached: candidates may have been refused, so the worker still needs work.
        let reached_all = found.reached == picked.pairs.len();
        let last = found.reached.checked_sub(1).map(|last| picked.pairs[last].at.clone());
        Ok(Looked::UpTo(if reached_all { picked.next } else { last }))
    }

    /// Writes a batch after PostgreSQL refused a row of it: halves it until the refused enrollment stands
    /// alone, and parks that one with the error.
    fn settle(
        &mut self,
        picked: &mut Picked,
        (batch, sharing): Work<'_>,
        refused: &mut HashMap<usize, Option<Instant>>,
        now: Instant,
    ) -> Result<Written> {
        if batch.is_empty() {
            return Ok(Written::Done);
        }
        match attempt(|| self.write(picked, (batch, sharing), Orders::new(), (now, false)))? {
            Attempt::Kept(plan) => {
                self.keep(picked, batch, plan, refused);
                Ok(Written::Done)
            }
            Attempt::TakenBack => Ok(Written::Overtaken),
            Attempt::Failed(error) if batch.len() == 1 => {
                self.park(picked, &batch[0], &error, now)?;
                Ok(Written::Done)
            }
            Attempt::Failed(_) => {
                let (first, second) = batch.split_at(batch.len() / 2);
                let handed = self.handed.len();
                if let Written::Overtaken = self.settle(picked, (first, sharing), refused, now)? {
                    return Ok(Written::Overtaken);
                }
                let second = candidates::in_the_light_of(&self.handed[handed..], picked, second);
                self.settle(picked, (&second, sharing), refused, now)
            }
        }
    }

    /// Takes over a plan that was written.
    fn keep(
        &mut self,
        picked: &mut Picked,
        batch: &[Candidate],
        plan: Plan,
        refused: &mut HashMap<usize, Option<Instant>>,
    ) {
        for (i, fate) in &plan.fates {
            let candidate = &batch[*i];
            let pair = &picked.pairs[candidate.pair];
            let slot = match fate {
                Fate::Granted(slot) => slot,
                refused => {
                    if let Some(reason) = refused.reason() {
                        refusals::count(pair.action, reason);
                    }
                    match refused {
                        Fate::Skipped(_) => self.deferred += 1,
                        _ => self.moved += 1,
                    }
                    continue;
                }
            };
            slot.is_in_flight_on(&mut picked.accounts[pair.account], pair.action);
            self.handed.push(Handed {
                account: picked.accounts[pair.account].id().to_owned(),
                campaign: candidate.campaign.clone(),
                prospect: candidate.prospect.clone(),
                action: pair.action,
                operation: slot.operation,
                expires_at: slot.expires_at,
                attempt: candidate.attempts.saturating_add(1),
                step: candidate.step,
                payload: candidate.payload.clone(),
            });
        }
        for (visited, account) in picked.accounts.iter_mut().zip(plan.accounts) {
            if let Some(account) = account {
                visited.row.account = account;
            }
        }
        for (visited, turns) in picked.accounts.iter_mut().zip(plan.turns) {
            if let Some(turns) = turns {
                visited.turns = turns;
            }
        }
        for (pair, refusal) in plan.refusals {
            refusals::count(picked.pairs[pair].action, refusal.reason);
            refused.insert(pair, refusal.retry_at);
        }
    }

    /// Parks the enrollment that cannot be written; where not even that can be, an operator is told, and
    /// it is left as it is.
    fn park(&mut self, picked: &Picked, candidate: &Candidate, error: &str, now: Instant) -> Result<()> {
        let pair = &picked.pairs[candidate.pair];
        let account = picked.accounts[pair.account].held();
        let (prospect, campaign) = (candidate.prospect.as_str(), candidate.campaign.as_str());
        let error = journal::cut(error);
        let (spi, action) = (self.spi, pair.action.name());
        let values = params![account.id(), prospect, campaign, action, &error, now, candidate.step];
        let park = || {
            spi.run(&PARK, values).must_be(1, "enrollments");
            Ok(Some(()))
        };
        match attempt(park)? {
            Attempt::Kept(()) => self.moved += 1,
            Attempt::TakenBack | Attempt::Failed(_) => {
                let detail =
                    format!("campaign \"{}\", prospect \"{}\": {error}", shown(campaign), shown(prospect));
                alerts::open(spi, account, "poisoned_enrollment", now.day(), &detail, now);
            }
        }
        Ok(())
    }

    /// What an operator has to see to: rows ahead of the clock, accounts that cannot be decided.
    fn raise_alerts(&self, picked: &Picked, now: Instant) {
        for pair in &picked.pairs {
            let visited = &picked.accounts[pair.account];
            if let Outlook::Undecidable(why) = &pair.outlook {
                alerts::open(self.spi, visited.held(), "undecidable_account", now.day(), why, now);
            }
            if visited.row.account.is_ahead_of(now) {
                alerts::open_ahead(self.spi, visited.held(), now);
            }
        }
    }
}

fn undecided() -> Error {
    Error::new(
        Code::Undecided,
        "no batch held long enough to be handed out",
        format!(
            "It was decided anew {OVERTAKEN_MAX} times; each time the day, a window or the configuration had moved on."
        ),
        "Nothing was changed: try again. If it happens again, look at the server's clock.",
    )
}
