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
use sendgate_decision::names::{EnrollmentState, Outcome};
use sendgate_decision::settle::{Failure, Operation};
use std::collections::HashSet;

static READ: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, e.state, e.attempts, e.operation_id, e.reason IS NULL
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.text[],
                            $4::pg_catalog.text[]) WITH ORDINALITY
          AS u (account_id, prospect_id, campaign_id, action, n)
     JOIN sendgate.enrollments e
         ON e.account_id OPERATOR(pg_catalog.=) u.account_id
            AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
            AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
            AND e.action OPERATOR(pg_catalog.=) u.action",
    types![texts, texts, texts, texts],
);

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = u.state, next_dispatch_at = u.next_dispatch_at, reason = u.reason, error = u.error,
         changed_at = $1, attempts = e.attempts OPERATOR(pg_catalog.-) u.uncharged
     FROM unnest($2::pg_catalog.text[], $3::pg_catalog.text[], $4::pg_catalog.text[],
                            $5::pg_catalog.text[], $6::pg_catalog.text[], $7::pg_catalog.timestamptz[],
                            $8::pg_catalog.text[], $9::pg_catalog.text[], $10::pg_catalog.int4[])
          AS u (account_id, prospect_id, campaign_id, action, state, next_dispatch_at, reason, error, uncharged)
     WHERE e.account_id OPERATOR(pg_catalog.=) u.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) u.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) u.campaign_id
       AND e.action OPERATOR(pg_catalog.=) u.action",
    types![instant, texts, texts, texts, texts, texts, instants, texts, texts, int4s],
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
        let due = next.iter().filter_map(|(change, next)| {
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

/// What becomes of each enrollment that the answers are about.
fn next_of<'a>(
    spi: &Spi,
    work: &[&'a Change<'a>],
    after: impl Fn(Held<'_>) -> Account,
    now: Instant,
) -> Vec<(&'a Change<'a>, Next)> {
    let (backoff, limit) = (gucs::retry_backoff(), gucs::limits().failure_limit);
    let rows = spi.run(&READ, &keys(work));
    let decide = |mut row: Row| {
        let change = work[row.value::<i32>() as usize - 1];
        let state = row.one_of(EnrollmentState::parse);
        let attempts = row.value();
        let is_its_own = row.nullable_uuid() == Some(change.operation.id);
        let Some(failure) = change.failure else {
            let is_delivered = state == EnrollmentState::Done && row.value::<bool>();
            return (!is_delivered).then_some((change, Next::DELIVERED));
        };
        let open = matches!(state, EnrollmentState::Sending | EnrollmentState::Parked);
        let account = change.after.as_deref().cloned().unwrap_or_else(|| after(change.account));
        let next =
            || after_failure(change.operation.action, &failure, &account, attempts, backoff, limit, now);
        (open && is_its_own).then(|| (change, next()))
    };
    let mut next: Vec<(&Change<'_>, Next)> = rows.iter().filter_map(decide).collect();
    // Two operations of one enrollment: that it was delivered is what counts.
    next.sort_by_key(|(_, next)| *next != Next::DELIVERED);
    let mut seen = HashSet::new();
    next.retain(|(change, _)| {
        seen.insert((change.account, &change.prospect, &change.campaign, change.operation.action))
    });
    next
}

fn write(spi: &Spi, next: &[(&Change<'_>, Next)], now: Instant) {
    let changes: Vec<&Change<'_>> = next.iter().map(|(change, _)| *change).collect();
    let [account, prospect, campaign, action] = keys(&changes);
    spi.run(
        &WRITE,
        &[
            now.param(),
            account,
            prospect,
            campaign,
            action,
            array(Element::Text, next.iter().map(|(_, next)| next.state.name())),
            array(Element::Timestamp, next.iter().map(|(_, next)| next.next_dispatch_at)),
            array(Element::Text, next.iter().map(|(_, next)| next.reason)),
            array(Element::Text, changes.iter().map(|change| change.error.as_deref())),
            array(Element::Int4, next.iter().map(|(_, next)| i32::from(!next.charged))),
        ],
    );
}

fn log_refused(spi: &Spi, next: &[(&Change<'_>, Next)], now: Instant) {
    let refused: Vec<RefusedWork<'_>> = next
        .iter()
        .filter_map(|(change, next)| {
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
