//! What a batch of answers does to enrollments: the same as one by one, a statement a table.

use crate::postgres::gucs;
use crate::postgres::param::{Element, IntoParam, Param, array, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::campaign_events;
use crate::tables::campaign_events::many::RefusedWork;
use crate::tables::dispatch_queue;
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::enrollment::{Next, after_failure};
use sendgate_decision::names::{Action, EnrollmentState, OperationId, Outcome};
use sendgate_decision::settle::{Failure, Operation};
use std::collections::HashSet;

/// A delivery that names no step finds all that are neither done nor cancelled.
static READ: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, e.step, e.state, e.attempts, e.operation_id, e.reason IS NULL
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                            $4::pg_catalog.text[], $5::pg_catalog.int4[]) WITH ORDINALITY
          AS u (account_id, prospect_id, campaign_id, action, step, n)
     JOIN sendgate.enrollments e
         ON e.account_id OPERATOR(pg_catalog.=) u.account_id
            AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
            AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
            AND e.action OPERATOR(pg_catalog.=) u.action
            AND e.step OPERATOR(pg_catalog.>=) COALESCE(u.step, 1)
            AND e.step OPERATOR(pg_catalog.<=) COALESCE(u.step, 32767)
     WHERE u.step IS NOT NULL OR e.state OPERATOR(pg_catalog.<>) ALL (ARRAY['done', 'cancelled'])",
    types![texts, texts, texts, texts, int4s],
);

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = u.state, next_dispatch_at = u.next_dispatch_at, reason = u.reason, error = u.error,
         changed_at = $1, attempts = e.attempts OPERATOR(pg_catalog.-) u.uncharged
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.int4[], $7::pg_catalog.text[],
                            $8::pg_catalog.timestamptz[], $9::pg_catalog.text[], $10::pg_catalog.text[],
                            $11::pg_catalog.int4[])
          AS u (account_id, prospect_id, campaign_id, action, step, state, next_dispatch_at, reason, error,
                uncharged)
     WHERE e.account_id OPERATOR(pg_catalog.=) u.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
       AND e.action OPERATOR(pg_catalog.=) u.action AND e.step OPERATOR(pg_catalog.=) u.step",
    types![instant, texts, texts, texts, texts, int4s, texts, instants, texts, texts, int4s],
);

static WAKE_PROSPECTS: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $1, reason = NULL, changed_at = $1
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[], $4::pg_catalog.text[])
          AS u (account_id, prospect_id, action)
     WHERE e.account_id OPERATOR(pg_catalog.=) u.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
       AND e.action OPERATOR(pg_catalog.=) u.action AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND e.next_dispatch_at IS NULL",
    types![instant, texts, texts, texts],
);

/// An operation that was settled.
pub struct Change<'a> {
    /// Its account.
    pub account: Held<'a>,
    /// The operation, before or after: only its id and action matter here.
    pub operation: Operation,
    /// Whom it was for.
    pub prospect: String,
    /// The campaign whose work it was; none for what is no campaign work.
    pub campaign: Option<String>,
    /// Which step of it; none = the lowest that is open, for what `reserve` took the slot.
    pub step: Option<i16>,
    /// Whether other work waits for it.
    pub awaited: bool,
    /// What it came to; none = delivered.
    pub failure: Option<Failure>,
    /// The error that goes with it.
    pub error: Option<String>,
    /// The account as the answer left it, where that matters for the work.
    pub after: Option<Box<Account>>,
}

impl Change<'_> {
    fn is_settled(&self) -> bool {
        self.failure.is_none_or(|failure| failure.outcome != Outcome::Indeterminate)
    }

    fn gives_back(&self) -> bool {
        self.failure.is_some() && self.is_settled()
    }
}

/// Lets a batch of settled operations take effect on the enrollments of their accounts; `after` is an
/// account as the batch left it.
pub fn settle(spi: &Spi, changes: &[&Change<'_>], after: impl Fn(Held<'_>) -> Account, now: Instant) {
    let work: Vec<&Change<'_>> = changes.iter().copied().filter(|change| change.campaign.is_some()).collect();
    if !work.is_empty() {
        let next = next_of(spi, &work, after, now);
        write(spi, &next, now);
        log_refused(spi, &next, now);
        let due = next.iter().filter_map(|Moved { change, next, .. }| {
            Some((change.account, change.operation.action, next.next_dispatch_at?))
        });
        dispatch_queue::tickets(spi, due.collect());
    }
    let awaited: Vec<&Change<'_>> = changes.iter().copied().filter(|c| c.awaited && c.is_settled()).collect();
    if !awaited.is_empty() {
        let [account, prospect, _, action] = keys(&awaited);
        spi.write_on_latest_snapshot(&WAKE_PROSPECTS, &[now.param(), account, prospect, action]);
        dispatch_queue::tickets(spi, awaited.iter().map(|c| (c.account, c.operation.action, now)).collect());
    }
    let woken: Vec<&Change<'_>> = changes.iter().copied().filter(|change| change.gives_back()).collect();
    if !woken.is_empty() {
        dispatch_queue::wake_pairs(spi, woken.iter().map(|c| (c.account, c.operation.action)), now);
    }
}

/// Account, prospect, campaign and action, each as an array.
fn keys(of: &[&Change<'_>]) -> [Param; 4] {
    [
        array(Element::Text, of.iter().map(|c| c.account.id())),
        array(Element::Text, of.iter().map(|c| c.prospect.as_str())),
        array(Element::Text, of.iter().map(|c| c.campaign.as_deref())),
        array(Element::Text, of.iter().map(|c| c.operation.action.name())),
    ]
}

/// An enrollment of a campaign: whose, and which step.
type Key<'a> = (Held<'a>, &'a str, Option<&'a str>, Action, i16);

/// What becomes of an enrollment.
struct Moved<'a> {
    change: &'a Change<'a>,
    step: i16,
    next: Next,
}

impl<'a> Moved<'a> {
    fn key(&self) -> Key<'a> {
        key(self.change, self.step)
    }
}

fn key<'a>(change: &'a Change<'a>, step: i16) -> Key<'a> {
    (change.account, &change.prospect, change.campaign.as_deref(), change.operation.action, step)
}

/// What becomes of each enrollment that the answers are about.
fn next_of<'a>(
    spi: &Spi,
    work: &[&'a Change<'a>],
    after: impl Fn(Held<'_>) -> Account,
    now: Instant,
) -> Vec<Moved<'a>> {
    let mut next = Vec::new();
    // Work that this batch has delivered already: the next delivery without a step ends the one behind it.
    let mut delivered = HashSet::new();
    for mut row in in_order(spi, work) {
        let (change, step) = (work[row.place], row.step);
        if change.failure.is_none() {
            let found = next.last().is_some_and(|last: &Moved<'_>| std::ptr::eq(last.change, change));
            if !row.is_delivered() && !found && delivered.insert(key(change, step)) {
                next.push(Moved { change, step, next: Next::DELIVERED });
            }
        } else if let Some(came_to) = row.failed(change, &after, now) {
            next.push(Moved { change, step, next: came_to });
        }
    }
    // Two operations of one enrollment: that it was delivered is what counts.
    next.sort_by_key(|moved| moved.next != Next::DELIVERED);
    let mut seen = HashSet::new();
    next.retain(|moved| seen.insert(moved.key()));
    next
}

/// An enrollment that an answer is about.
struct Found {
    /// Index of the answer.
    place: usize,
    step: i16,
    state: EnrollmentState,
    attempts: i32,
    operation: Option<OperationId>,
    has_no_reason: bool,
}

impl Found {
    fn read(mut row: Row) -> Found {
        Found {
            place: row.value::<i32>() as usize - 1,
            step: row.value(),
            state: row.one_of(EnrollmentState::parse),
            attempts: row.value(),
            operation: row.nullable_uuid(),
            has_no_reason: row.value(),
        }
    }

    fn is_delivered(&self) -> bool {
        self.state == EnrollmentState::Done && self.has_no_reason
    }

    /// What a failure makes of it, where it is that operation's and open.
    fn failed(
        &mut self,
        change: &Change<'_>,
        after: &impl Fn(Held<'_>) -> Account,
        now: Instant,
    ) -> Option<Next> {
        let failure = change.failure?;
        let open = matches!(self.state, EnrollmentState::Sending | EnrollmentState::Parked);
        if !open || self.operation != Some(change.operation.id) {
            return None;
        }
        let (backoff, limit) = (gucs::retry_backoff(), gucs::limits().failure_limit);
        let account = change.after.as_deref().cloned().unwrap_or_else(|| after(change.account));
        let action = change.operation.action;
        Some(after_failure(action, &failure, &account, self.attempts, backoff, limit, now))
    }
}

/// The enrollments of the answers: in the order of the answers, the lowest step first.
fn in_order(spi: &Spi, work: &[&Change<'_>]) -> Vec<Found> {
    let [account, prospect, campaign, action] = keys(work);
    let step = array(Element::Int4, work.iter().map(|change| change.step.map(i32::from)));
    let rows = spi.run(&READ, &[account, prospect, campaign, action, step]);
    let mut found: Vec<Found> = rows.iter().map(Found::read).collect();
    found.sort_by_key(|found| (found.place, found.step));
    found
}

fn write(spi: &Spi, moved: &[Moved<'_>], now: Instant) {
    let changes: Vec<&Change<'_>> = moved.iter().map(|moved| moved.change).collect();
    let [account, prospect, campaign, action] = keys(&changes);
    let next = || moved.iter().map(|moved| &moved.next);
    spi.run(
        &WRITE,
        &[
            now.param(),
            account,
            prospect,
            campaign,
            action,
            array(Element::Int4, moved.iter().map(|moved| i32::from(moved.step))),
            array(Element::Text, next().map(|next| next.state.name())),
            array(Element::Timestamp, next().map(|next| next.next_dispatch_at)),
            array(Element::Text, next().map(|next| next.reason)),
            array(Element::Text, changes.iter().map(|change| change.error.as_deref())),
            array(Element::Int4, next().map(|next| i32::from(!next.charged))),
        ],
    );
}

fn log_refused(spi: &Spi, moved: &[Moved<'_>], now: Instant) {
    let refused: Vec<RefusedWork<'_>> = moved
        .iter()
        .filter_map(|Moved { change, next, .. }| {
            Some(RefusedWork {
                account: change.account,
                prospect: &change.prospect,
                campaign: change.campaign.as_deref(),
                action: change.operation.action,
                operation: change.operation.id,
                reason: next.skipped?,
                error: change.error.as_deref(),
            })
        })
        .collect();
    if !refused.is_empty() {
        campaign_events::many::refused(spi, &refused, now);
    }
}
