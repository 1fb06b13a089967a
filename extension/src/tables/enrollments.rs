//! `enrollments`: the work of campaigns, as far as one account's verbs change it. The account is held
//! whenever one of its enrollments changes, so dispatch may trust what it read.

pub mod many;
pub mod of_prospect;

use crate::postgres::gucs;
use crate::postgres::param::{Span, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::campaign_events;
use crate::tables::dispatch_queue;
use crate::tables::journal::{ErrorNote, JournalRow};
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::enrollment::{Next, after_failure};
use sendgate_decision::names::{Action, EnrollmentState, OperationId, Outcome};
use sendgate_decision::settle::Failure;
use std::collections::BTreeSet;

static READ: Statement = Statement::new(
    "SELECT e.state, e.attempts, e.operation_id
     FROM sendgate.enrollments e
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5",
    types![text, text, text, text, int2],
);

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = $6, next_dispatch_at = $7, reason = $8, error = $9, changed_at = $10,
         attempts = e.attempts OPERATOR(pg_catalog.-) $11
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5",
    types![text, text, text, text, int2, text, instant, text, text, instant, int2],
);

static FINISH: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'done', next_dispatch_at = NULL, reason = NULL, error = NULL, changed_at = $6
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5
       AND (e.state OPERATOR(pg_catalog.<>) 'done' OR e.reason IS NOT NULL)",
    types![text, text, text, text, int2, instant],
);

/// The lowest step that is neither done nor cancelled, for a delivery that names none.
static FINISH_LOWEST: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'done', next_dispatch_at = NULL, reason = NULL, error = NULL, changed_at = $5
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) (
           SELECT pg_catalog.min(w.step) FROM sendgate.enrollments w
           WHERE w.account_id OPERATOR(pg_catalog.=) $1 AND w.prospect_id OPERATOR(pg_catalog.=) $2
             AND w.campaign_id OPERATOR(pg_catalog.=) $3 AND w.action OPERATOR(pg_catalog.=) $4
             AND w.state OPERATOR(pg_catalog.<>) ALL (ARRAY['done', 'cancelled']))",
    types![text, text, text, text, instant],
);

/// Work that waits for an operation on its prospect to be settled.
static WAKE_PROSPECT: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $4, reason = NULL, changed_at = $4
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.action OPERATOR(pg_catalog.=) $3 AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND e.next_dispatch_at IS NULL",
    types![text, text, text, instant],
);

static DEFER: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $4, reason = 'account_inmail_credits_exhausted', changed_at = $5
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) 'inmail'
       AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND (e.next_dispatch_at OPERATOR(pg_catalog.<) $4 OR e.next_dispatch_at IS NULL)",
    types![text, text, text, instant, instant],
);

/// What the breaker deferred becomes due, the first at `$2`, the others spread over `$3`.
static RELEASE: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = d.due_at, reason = NULL, changed_at = $2
     FROM (
         SELECT w.prospect_id, w.campaign_id, w.step,
                $2 OPERATOR(pg_catalog.+) ($3 OPERATOR(pg_catalog.*) (
                    (pg_catalog.row_number() OVER o OPERATOR(pg_catalog.-) 1)::pg_catalog.float8
                    OPERATOR(pg_catalog./) (pg_catalog.count(*) OVER ())::pg_catalog.float8)) AS due_at
         FROM sendgate.enrollments w
         WHERE w.account_id OPERATOR(pg_catalog.=) $1 AND w.action OPERATOR(pg_catalog.=) 'inmail'
           AND w.state OPERATOR(pg_catalog.=) 'waiting'
           AND w.reason OPERATOR(pg_catalog.=) 'account_inmail_credits_exhausted'
           AND w.next_dispatch_at OPERATOR(pg_catalog.>) $2
         WINDOW o AS (ORDER BY w.enqueued_at USING OPERATOR(pg_catalog.<),
                               w.prospect_id USING OPERATOR(pg_catalog.<),
                               w.campaign_id USING OPERATOR(pg_catalog.<),
                               w.step USING OPERATOR(pg_catalog.<))
     ) d
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) d.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) d.campaign_id
       AND e.action OPERATOR(pg_catalog.=) 'inmail' AND e.step OPERATOR(pg_catalog.=) d.step",
    types![text, instant, span],
);

/// Work that was given up after too many attempts, or that PostgreSQL refused, starts afresh.
static UNPARK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'waiting', next_dispatch_at = $2, attempts = 0, reason = NULL, error = NULL, changed_at = $2
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.state OPERATOR(pg_catalog.=) 'parked'
       AND e.reason OPERATOR(pg_catalog.=) ANY (ARRAY['transient', 'rate_limited', 'released', 'not_sent',
           'credits_exhausted', 'rejected', 'poisoned'])
     RETURNING e.action",
    types![text, instant],
);

static DEFER_ANEW: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $2, changed_at = $3
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.action OPERATOR(pg_catalog.=) 'inmail'
       AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND e.reason OPERATOR(pg_catalog.=) 'account_inmail_credits_exhausted'
       AND e.next_dispatch_at OPERATOR(pg_catalog.>) $3",
    types![text, instant, instant],
);

/// Work that was postponed or deferred while the clock ran ahead is due now; the rules may refuse it again.
static BRING_BACK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $2, changed_at = $2
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.next_dispatch_at OPERATOR(pg_catalog.>) $2
       AND e.changed_at OPERATOR(pg_catalog.>) $2",
    types![text, instant],
);

/// The first deferred enrollment that nothing but the breaker holds back.
static OFFER: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $2, changed_at = $2
     FROM (
         SELECT w.prospect_id, w.campaign_id, w.step
         FROM sendgate.enrollments w
         WHERE w.account_id OPERATOR(pg_catalog.=) $1 AND w.action OPERATOR(pg_catalog.=) 'inmail'
           AND w.state OPERATOR(pg_catalog.=) 'waiting'
           AND w.reason OPERATOR(pg_catalog.=) 'account_inmail_credits_exhausted'
           AND NOT EXISTS (
               SELECT FROM sendgate.paused_campaigns p
               WHERE p.campaign_id OPERATOR(pg_catalog.=) w.campaign_id)
           AND NOT EXISTS (
               SELECT FROM sendgate.campaigns k
               WHERE k.campaign_id OPERATOR(pg_catalog.=) w.campaign_id
                 AND k.inmail_limit OPERATOR(pg_catalog.<=) (
                     SELECT pg_catalog.count(*) FROM sendgate.send_operations t
                     WHERE t.account_id OPERATOR(pg_catalog.=) $1
                       AND t.counted_on OPERATOR(pg_catalog.=) ($2 AT TIME ZONE 'UTC')::pg_catalog.date
                       AND t.action OPERATOR(pg_catalog.=) 'inmail'
                       AND t.campaign_id OPERATOR(pg_catalog.=) w.campaign_id
                       AND t.state OPERATOR(pg_catalog.<>) 'released'))
           AND NOT EXISTS (
               SELECT FROM sendgate.send_operations o
               WHERE o.account_id OPERATOR(pg_catalog.=) $1
                 AND o.prospect_id OPERATOR(pg_catalog.=) w.prospect_id
                 AND o.action OPERATOR(pg_catalog.=) 'inmail'
                 AND o.state OPERATOR(pg_catalog.<>) 'released'
                 AND (o.state OPERATOR(pg_catalog.<>) 'delivered'
                      OR o.reserved_at OPERATOR(pg_catalog.>) $3))
           AND NOT EXISTS (
               SELECT FROM sendgate.suppressions s
               WHERE s.prospect_id OPERATOR(pg_catalog.=) w.prospect_id
                 AND (s.until IS NULL OR s.until OPERATOR(pg_catalog.>) $2))
         ORDER BY w.next_dispatch_at USING OPERATOR(pg_catalog.<),
                  w.enqueued_at USING OPERATOR(pg_catalog.<),
                  w.prospect_id USING OPERATOR(pg_catalog.<),
                  w.campaign_id USING OPERATOR(pg_catalog.<), w.step USING OPERATOR(pg_catalog.<)
         LIMIT 1
     ) d
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) d.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) d.campaign_id
       AND e.action OPERATOR(pg_catalog.=) 'inmail' AND e.step OPERATOR(pg_catalog.=) d.step",
    types![text, instant, instant],
);

/// Whose work an operation was.
struct Enrollment {
    state: EnrollmentState,
    attempts: i32,
    operation: Option<OperationId>,
}

fn read(spi: &Spi, account: &str, row: &JournalRow) -> Option<Enrollment> {
    // Most operations are no campaign work at all, and cost nothing here.
    let (step, campaign) = (row.step?, row.campaign.as_deref()?);
    let found = spi.run(&READ, params![account, &row.prospect, campaign, row.operation.action.name(), step]);
    found.first().map(|mut columns| Enrollment {
        state: columns.one_of(EnrollmentState::parse),
        attempts: columns.value(),
        operation: columns.nullable_uuid(),
    })
}

fn write(spi: &Spi, account: Held<'_>, row: &JournalRow, next: &Next, error: Option<&str>, now: Instant) {
    spi.run(
        &WRITE,
        params![
            account.id(),
            &row.prospect,
            row.campaign.as_deref(),
            row.operation.action.name(),
            row.step,
            next.state.name(),
            next.next_dispatch_at,
            next.reason,
            error,
            now,
            i16::from(!next.charged)
        ],
    );
}

/// An operation was delivered: its work is done, whichever verb took the slot and whatever came between,
/// because the prospect has received the message. Where no step was named, it is the lowest that is open.
pub fn delivered(spi: &Spi, account: Held<'_>, row: &JournalRow, now: Instant) {
    if let Some(campaign) = row.campaign.as_deref() {
        let action = row.operation.action.name();
        match row.step {
            Some(step) => {
                spi.run(&FINISH, params![account.id(), &row.prospect, campaign, action, step, now]);
            }
            None => {
                let values = params![account.id(), &row.prospect, campaign, action, now];
                spi.write_on_latest_snapshot(&FINISH_LOWEST, values);
            }
        }
    }
    settled(spi, account, row, now);
}

/// An operation failed, or its outcome is unknown: its work waits, is done or is parked.
/// `after` is the account as the outcome left it.
pub fn failed(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    failure: &Failure,
    after: &Account,
    note: &ErrorNote,
    now: Instant,
) {
    let action = row.operation.action;
    if let Some(found) = read(spi, account.id(), row)
        && found.operation == Some(row.operation.id)
        && matches!(found.state, EnrollmentState::Sending | EnrollmentState::Parked)
    {
        let (backoff, limit) = (gucs::retry_backoff(), gucs::limits().failure_limit);
        let next = after_failure(action, failure, after, found.attempts, backoff, limit, now);
        let error = note.message.as_deref().or(note.error_type.as_deref());
        write(spi, account, row, &next, error, now);
        if let Some(reason) = next.skipped {
            campaign_events::refused(spi, account, row, reason, error, now);
        }
        if let Some(due_at) = next.next_dispatch_at {
            dispatch_queue::ticket(spi, account.id(), action, due_at);
        }
    }
    if failure.outcome != Outcome::Indeterminate {
        settled(spi, account, row, now);
        // The slot that came back may be what other work of the account waits for.
        dispatch_queue::wake(spi, account, Some(action), now);
    }
}

/// Wakes work that waited for this operation, which is no longer in flight.
fn settled(spi: &Spi, account: Held<'_>, row: &JournalRow, now: Instant) {
    if row.awaited {
        let action = row.operation.action;
        if spi
            .write_on_latest_snapshot(
                &WAKE_PROSPECT,
                params![account.id(), &row.prospect, action.name(), now],
            )
            .count()
            > 0
        {
            dispatch_queue::ticket(spi, account.id(), action, now);
        }
    }
}

/// Defers an InMail that the breaker skipped, where it is campaign work.
pub fn defer(spi: &Spi, account: Held<'_>, prospect: &str, campaign: &str, until: Instant, now: Instant) {
    spi.write_on_latest_snapshot(&DEFER, params![account.id(), prospect, campaign, until, now]);
}

/// The account's stamp was removed: what it deferred becomes due, spread over
/// `sendgate.release_spread`. How much that was.
pub fn release(spi: &Spi, account: Held<'_>, now: Instant) -> usize {
    let spread = Span(gucs::release_spread());
    let released = spi.write_on_latest_snapshot(&RELEASE, params![account.id(), now, spread]).count();
    dispatch_queue::wake(spi, account, Some(Action::Inmail), now);
    if released > 0 {
        dispatch_queue::ticket(spi, account.id(), Action::Inmail, now);
    }
    released
}

/// Work of the account that was parked after failures waits again; unknown outcomes stay parked. How much
/// that was.
pub fn unpark(spi: &Spi, account: Held<'_>, now: Instant) -> usize {
    let rows = spi.write_on_latest_snapshot(&UNPARK, params![account.id(), now]);
    let actions: BTreeSet<Action> = rows.iter().map(|mut row| row.one_of(Action::parse)).collect();
    for action in actions {
        dispatch_queue::ticket(spi, account.id(), action, now);
    }
    rows.count()
}

/// The account's credits renew on another day now: its deferred work goes with them.
pub fn defer_anew(spi: &Spi, account: Held<'_>, until: Instant, now: Instant) {
    if spi.write_on_latest_snapshot(&DEFER_ANEW, params![account.id(), until, now]).count() > 0 {
        dispatch_queue::ticket(spi, account.id(), Action::Inmail, until);
    }
}

/// The account's day was repaired: its work goes by today's clock.
pub fn bring_back(spi: &Spi, account: Held<'_>, now: Instant) {
    spi.write_on_latest_snapshot(&BRING_BACK, params![account.id(), now]);
    dispatch_queue::wake(spi, account, None, now);
}

/// A permit can be taken on the account: one deferred enrollment becomes due, so that dispatch finds it.
pub fn offer(spi: &Spi, account: Held<'_>, now: Instant) {
    let warm_since = now.plus(-gucs::prospect_cooldown());
    if spi.write_on_latest_snapshot(&OFFER, params![account.id(), now, warm_since]).count() > 0 {
        dispatch_queue::ticket(spi, account.id(), Action::Inmail, now);
    }
}
