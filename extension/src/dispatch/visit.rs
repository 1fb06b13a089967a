//! Goes round the accounts until the worker has enough, or nothing more may be sent.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, Reason};

use super::candidates::{self, Candidate, DEFERRALS_MAX, Held};
use super::pick::{self, Cursor, Outlook, Picked};
use super::plan::{Fate, Plan, decide};
use super::rule::Rule;
use super::write::{self, Batch};
use super::{Filter, Handed, tickets};
use crate::account_row::AccountRow;
use crate::clock;
use crate::config;
use crate::entry::shown;
use crate::error::{Code, Error, Result};
use crate::log;
use crate::refusals;
use crate::statement::{Spi, Statement, params};
use crate::subtransaction::{Attempt, attempt};

/// Tickets that are read at a time: as many as slots are wanted, within these; four times as many after
/// each page that had none. A ticket is read with its account, which costs more than the slot of
/// a worker who wants one.
const TICKETS_MIN: usize = 4;
const TICKETS_MAX: usize = 256;

/// The least among many workers, who are to find one account each; and how far ahead each of them then
/// reads enrollments, in times of what it wants and at most. Whoever wants more than that allows spreads
/// over many accounts anyway.
const TICKETS_AMONG_MANY_MIN: usize = 16;
const AHEAD_AMONG_MANY: usize = 16;
const AHEAD_AMONG_MANY_MAX: usize = 128;
const WANTED_AMONG_MANY_MAX: usize = 32;

/// Most due enrollments that are read for one account in one round.
const CANDIDATES_MAX: usize = 1_000;

/// How often a call starts again because the configuration or the day had moved on before its slots
/// were written.
const OVERTAKEN_MAX: usize = 16;

/// How often a call goes round again only because accounts changed while they were looked at: busy
/// accounts always do, and the next call is never far.
const CHANGED_MAX: usize = 3;

/// Most enrollments that a call moves because their prospects cannot be sent to: the accounts are held
/// meanwhile, and the next call goes on where this one ends.
const MOVED_MAX: usize = 10_000;

static PARK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'parked', next_dispatch_at = NULL, reason = 'poisoned', error = $5, changed_at = $6
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4",
    &[
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TIMESTAMPTZOID,
    ],
);

thread_local! {
    /// Whether this session met another dispatcher when it last tried to hold accounts. Those who ask
    /// for a few slots all begin at the oldest ticket; whoever has met others looks further ahead, for
    /// an account that nobody holds.
    static CROWDED: Cell<bool> = const { Cell::new(false) };
}

/// A call of `dispatch` on its way.
pub struct Visit<'a> {
    spi: &'a Spi,
    max: usize,
    filter: &'a Filter<'a>,
    handed: Vec<Handed>,
    rule: Rule,
    /// The configuration's number when it was read.
    changes: u64,
    /// Enrollments that were moved without being handed out: there may be others behind them.
    moved: usize,
    /// Accounts that somebody else had changed between picking and holding them.
    changed: usize,
    /// Enrollments that the breaker deferred.
    deferred: usize,
}

/// How far a look at the picked accounts went.
enum Looked {
    /// Up to this ticket; none when there are no more.
    UpTo(Option<Cursor>),
    /// Nowhere: the plan was overtaken.
    Overtaken,
}

/// What became of writing a batch.
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
        Visit { spi, max, filter, handed: Vec::new(), rule, changes, moved: 0, changed: 0, deferred: 0 }
    }

    /// Goes round until there is enough, or until a round neither finds nor moves anything.
    pub fn run(mut self) -> Result<Vec<Handed>> {
        let (mut overtaken, mut round, mut again) = (0, 0, 0);
        while self.wanted() > 0 && !self.rule.config.paused {
            let (moved, changed) = (self.moved, self.changed);
            match self.go_round(round)? {
                Written::Done if self.moved > moved && self.moved < MOVED_MAX => round += 1,
                Written::Done if self.changed > changed && again < CHANGED_MAX => again += 1,
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
        let mut least = TICKETS_MIN;
        while self.wanted() > 0 {
            let now = clock::now();
            let least_now = if CROWDED.get() { least.max(TICKETS_AMONG_MANY_MIN) } else { least };
            let tickets = self.wanted().max(least_now).min(TICKETS_MAX);
            let handed = self.handed.len();
            let picked = pick::pick(self.spi, &self.rule, self.filter, (&from, until), tickets, now);
            if picked.pairs.is_empty() {
                break;
            }
            let limit = self.wanted().saturating_mul(ahead).min(CANDIDATES_MAX);
            match self.look_at(picked, limit, now)? {
                Looked::Overtaken => return Ok(Written::Overtaken),
                Looked::UpTo(Some(last)) => from = last,
                Looked::UpTo(None) => break,
            }
            least = if self.handed.len() == handed { least.saturating_mul(4) } else { TICKETS_MIN };
        }
        Ok(Written::Done)
    }

    /// Hands out what the picked accounts may send.
    fn look_at(&mut self, mut picked: Picked, limit: usize, at: Instant) -> Result<Looked> {
        let deferrals = DEFERRALS_MAX.saturating_sub(self.deferred);
        let skips = picked.pairs.iter().any(|pair| matches!(pair.outlook, Outlook::Skipping));
        let crowded = CROWDED.get() && !skips && limit <= WANTED_AMONG_MANY_MAX;
        let ahead = limit.saturating_mul(AHEAD_AMONG_MANY).min(AHEAD_AMONG_MANY_MAX);
        let limits = if crowded { limit.max(ahead) } else { limit };
        let mut found = candidates::find(self.spi, &picked, (limit, limits), deferrals, at);
        let held = if crowded {
            let reached = found.reached;
            let held = candidates::hold_free(self.spi, &picked, &mut found, self.wanted());
            // Some that were passed over may only have been served meanwhile, and still have work.
            self.changed += usize::from(found.reached == reached && held.contains(&Held::BySomebodyElse));
            held
        } else {
            candidates::hold(self.spi, &picked, &found.looked_at)
        };
        let now = clock::now();
        self.changed += held.iter().filter(|held| **held == Held::Changed).count();
        let met = |held: &Held| matches!(held, Held::Changed | Held::BySomebodyElse);
        CROWDED.set(held.iter().any(met));
        let due = candidates::verify(self.spi, &picked, &held, found.candidates, now);
        let mut refused = HashMap::new();
        if let Written::Overtaken = self.settle(&mut picked, &due, &mut refused, now)? {
            return Ok(Looked::Overtaken);
        }
        let changes = self.changes;
        if !tickets::put_back(self.spi, &picked, &held, &found.looked_at, &refused, changes, now) {
            return Ok(Looked::Overtaken);
        }
        self.raise_alerts(&picked, &held, now)?;
        // Whoever was not reached because there seemed to be enough is next: some of what was read may
        // be in somebody else's hands.
        let reached_all = found.reached == picked.pairs.len();
        let last = found.reached.checked_sub(1).map(|last| picked.pairs[last].at.clone());
        Ok(Looked::UpTo(if reached_all { picked.next } else { last }))
    }

    /// Decides about a batch and writes it. A batch that PostgreSQL refuses is halved until the
    /// enrollment that it refuses stands alone; that one is parked with the error.
    fn settle(
        &mut self,
        picked: &mut Picked,
        batch: &[Candidate],
        refused: &mut HashMap<usize, Option<Instant>>,
        now: Instant,
    ) -> Result<Written> {
        if batch.is_empty() {
            return Ok(Written::Done);
        }
        let plan = decide(&self.rule, &picked.accounts, &picked.pairs, batch, self.wanted(), now);
        let (spi, changes) = (self.spi, self.changes);
        let parts = Batch { visited: &picked.accounts, pairs: &picked.pairs, candidates: batch, now };
        let attempt = attempt(|| {
            write::write(spi, &parts, &plan);
            let holds = clock::now() < plan.valid_until && config::changes() == changes;
            Ok(holds.then_some(()))
        })?;
        match attempt {
            Attempt::Kept(()) => {
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
                if let Written::Overtaken = self.settle(picked, first, refused, now)? {
                    return Ok(Written::Overtaken);
                }
                let second = self.in_the_light_of(handed, picked, second);
                self.settle(picked, &second, refused, now)
            }
        }
    }

    /// Candidates as they are after what was handed out since: its prospects have an operation in
    /// flight.
    fn in_the_light_of(&self, handed: usize, picked: &Picked, batch: &[Candidate]) -> Vec<Candidate> {
        let taken: HashSet<(&str, Action, &str)> = self.handed[handed..]
            .iter()
            .map(|row| (row.account.as_str(), row.action, row.prospect.as_str()))
            .collect();
        let mut batch = batch.to_vec();
        for candidate in &mut batch {
            let pair = &picked.pairs[candidate.pair];
            let id = picked.accounts[pair.account].id.as_str();
            candidate.history.unresolved |= taken.contains(&(id, pair.action, &candidate.prospect));
        }
        batch
    }

    /// Takes over what was written.
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
                Fate::Postponed(reason, _) => {
                    refusals::count(pair.action, *reason);
                    self.moved += 1;
                    continue;
                }
                Fate::Skipped(_) => {
                    refusals::count(pair.action, Reason::CreditsExhausted);
                    self.deferred += 1;
                    continue;
                }
            };
            self.handed.push(Handed {
                account: picked.accounts[pair.account].id.clone(),
                campaign: candidate.campaign.clone(),
                prospect: candidate.prospect.clone(),
                action: pair.action,
                operation: slot.operation,
                expires_at: slot.expires_at,
                attempt: candidate.attempts.saturating_add(1),
            });
        }
        for (visited, account) in picked.accounts.iter_mut().zip(plan.accounts) {
            if let Some(account) = account {
                visited.row.account = account;
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
        let account = picked.accounts[pair.account].id.as_str();
        let (prospect, campaign) = (candidate.prospect.as_str(), candidate.campaign.as_str());
        let error = crate::journal::cut(error);
        let (spi, values) = (self.spi, params![account, prospect, campaign, pair.action.name(), &error, now]);
        match attempt(|| Ok(Some(spi.run(&PARK, values).count())))? {
            Attempt::Kept(_) => self.moved += 1,
            Attempt::TakenBack | Attempt::Failed(_) => {
                let detail =
                    format!("campaign \"{}\", prospect \"{}\": {error}", shown(campaign), shown(prospect));
                log::alert_once(spi, account, None, "poisoned_enrollment", now.day(), &detail, now)?;
            }
        }
        Ok(())
    }

    /// What an operator has to see to: rows ahead of the clock, accounts that cannot be decided.
    fn raise_alerts(&self, picked: &Picked, held: &[Held], now: Instant) -> Result<()> {
        for pair in &picked.pairs {
            let visited = &picked.accounts[pair.account];
            let (id, day) = (visited.id.as_str(), now.day());
            if held[pair.account] != Held::AsPicked {
                continue;
            }
            if let Outlook::Undecidable(why) = &pair.outlook {
                log::alert_once(self.spi, id, None::<&AccountRow>, "undecidable_account", day, why, now)?;
            }
            if visited.row.account.is_ahead_of(now) {
                log::alert_ahead(self.spi, id, None, now)?;
            }
        }
        Ok(())
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
