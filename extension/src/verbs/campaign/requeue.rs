//! `requeue`: parked or cancelled work waits again, with attempts from 0; an operator may put back what is done.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, shown, sql_function};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use crate::tables::suppressions;
use crate::verbs::campaign::work;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, EnrollmentState};
use serde_json::json;

sql_function!(sendgate_requeue, pg_finfo_sendgate_requeue, requeue);

static STATE: Statement = Statement::new(
    "SELECT e.state
     FROM sendgate.enrollments e
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5",
    types![text, text, text, text, int2],
);

/// A hand-out of the work whose outcome is not known yet. Older versions say no step: it is the first.
static UNRESOLVED: Statement = Statement::new(
    "SELECT o.operation_id
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.prospect_id OPERATOR(pg_catalog.=) $2
       AND o.action OPERATOR(pg_catalog.=) $4 AND o.campaign_id OPERATOR(pg_catalog.=) $3
       AND o.attempt IS NOT NULL AND COALESCE(o.step, 1) OPERATOR(pg_catalog.=) $5
       AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['reserved', 'indeterminate'])
     LIMIT 1",
    types![text, text, text, text, int2],
);

static PUT_BACK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'waiting', next_dispatch_at = $6, attempts = 0, reason = NULL, error = NULL, changed_at = $7
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5",
    types![text, text, text, text, int2, instant, instant],
);

/// Which work is meant.
struct Work<'a> {
    campaign: &'a str,
    prospect: &'a str,
    account: &'a str,
    action: Action,
    step: i16,
}

fn requeue(args: &Args) -> Answer {
    let work = Work {
        campaign: args.id(0, "campaign_id")?,
        prospect: args.id(1, "prospect_id")?,
        account: args.id(2, "account_id")?,
        action: args.action(3)?,
        step: work::step(args.required(4, "step")?)?,
    };
    let dispatch_at = args.optional_instant(5, "dispatch_at")?;
    let is_back = Spi::connect(|spi| put_back(spi, &work, dispatch_at))?;
    Ok(is_back.param())
}

/// Puts the work back; `false` where there is none, where it waits or is being sent, or where its prospect is
/// suppressed for good.
fn put_back(spi: &Spi, work: &Work<'_>, dispatch_at: Option<Instant>) -> Result<bool> {
    let (held, _) = accounts::hold(work.account)?;
    let action = work.action.name();
    let key = params![held.id(), work.prospect, work.campaign, action, work.step];
    let Some(mut row) = spi.run_on_latest_snapshot(&STATE, key).first() else {
        return Ok(false);
    };
    let state = row.one_of(EnrollmentState::parse);
    let is_operator = actor::is_operator();
    match state {
        EnrollmentState::Waiting | EnrollmentState::Sending => return Ok(false),
        EnrollmentState::Done if !is_operator => return Err(done(work)),
        EnrollmentState::Done | EnrollmentState::Parked | EnrollmentState::Cancelled => {}
    }
    if let Some(mut row) = spi.run_on_latest_snapshot(&UNRESOLVED, key).first() {
        return Err(unresolved(work, row.nullable_uuid().unwrap_or_default()));
    }
    if suppressions::of(work.prospect)?.is_some_and(|found| found.rule.until.is_none()) {
        return Ok(false);
    }
    let now = clock::now();
    let due_at = dispatch_at.unwrap_or(now);
    let values = params![held.id(), work.prospect, work.campaign, action, work.step, due_at, now];
    spi.write_on_latest_snapshot(&PUT_BACK, values).must_be(1, "enrollments");
    dispatch_queue::ticket(spi, held.id(), work.action, due_at);
    if is_operator {
        let before = json!({
            "campaign_id": work.campaign,
            "prospect_id": work.prospect,
            "action": action,
            "step": work.step,
            "state": state.name(),
        });
        let change = (before, json!(EnrollmentState::Waiting.name()));
        admin_log::write(spi, "requeue", Some(held.id()), Some(work.campaign), change, None);
    }
    Ok(true)
}

fn done(work: &Work<'_>) -> Error {
    Error::new(
        Code::NotAnOperator,
        format!(
            "the work of campaign \"{}\" for prospect \"{}\" is done",
            shown(work.campaign),
            shown(work.prospect)
        ),
        "The prospect has got the message, or refused it for good; only operators put such work back.",
        "Enqueue the next step, or ask an operator to call requeue.",
    )
}

fn unresolved(work: &Work<'_>, operation: Id) -> Error {
    Error::new(
        Code::WorkUnresolved,
        format!(
            "the outcome of operation {} for prospect \"{}\" is not known",
            ids::show(operation),
            shown(work.prospect)
        ),
        "The prospect may have got the message; put back now, the work might be sent twice.",
        "Confirm or roll back the operation, or let an operator settle it with resolve_operation; then put the work back.",
    )
}
