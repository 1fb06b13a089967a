//! `switch_action`: the waiting work of a campaign goes on as another action.

use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, shown, sql_statements};
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::record::RecordType;
use crate::postgres::statement::{Spi, Statement};
use crate::postgres::subtransaction::{Attempt, attempt_unless_there};
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;
use serde_json::json;

sql_statements!(sendgate_switch_action, pg_finfo_sendgate_switch_action, switch_action);

static ANSWER: RecordType =
    RecordType::new(&[(c"moved", pg_sys::INT4OID), (c"left_behind", pg_sys::INT4OID)]);

/// All accounts of the campaign, by ascending id, the one lock order.
static HOLD_ACCOUNTS: Statement = Statement::new(
    "SELECT a.id FROM sendgate.accounts a
     WHERE a.id OPERATOR(pg_catalog.=) ANY (ARRAY(
         SELECT DISTINCT e.account_id::pg_catalog.text FROM sendgate.enrollments e
         WHERE e.campaign_id OPERATOR(pg_catalog.=) $1 AND e.action OPERATOR(pg_catalog.=) $2
           AND e.state OPERATOR(pg_catalog.=) 'waiting'))
     ORDER BY a.id USING OPERATOR(pg_catalog.<) FOR NO KEY UPDATE",
    types![text, text],
);

/// Work that was deferred, or waited for an event of the old action, is due now; work with a future
/// `dispatch_at` keeps it. Work that exists already under the new action is left behind, and so is work that
/// was enqueued on another account while this call waited.
static MOVE: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET action = $3, attempts = 0, operation_id = NULL, error = NULL, reason = NULL, changed_at = $4,
         next_dispatch_at = CASE WHEN e.reason IS NULL THEN e.next_dispatch_at ELSE $4 END
     WHERE e.campaign_id OPERATOR(pg_catalog.=) $1 AND e.action OPERATOR(pg_catalog.=) $2
       AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND e.account_id OPERATOR(pg_catalog.=) ANY ($5::pg_catalog.text[])
       AND (e.is_connection OR $3 OPERATOR(pg_catalog.<>) 'message')
       AND NOT EXISTS (
           SELECT FROM sendgate.enrollments o
           WHERE o.account_id OPERATOR(pg_catalog.=) e.account_id
             AND o.prospect_id OPERATOR(pg_catalog.=) e.prospect_id
             AND o.campaign_id OPERATOR(pg_catalog.=) $1 AND o.action OPERATOR(pg_catalog.=) $3
             AND o.step OPERATOR(pg_catalog.=) e.step)",
    types![text, text, text, instant, texts],
);

static LEFT_BEHIND: Statement = Statement::new(
    "SELECT pg_catalog.count(*)::pg_catalog.int4 FROM sendgate.enrollments e
     WHERE e.campaign_id OPERATOR(pg_catalog.=) $1 AND e.action OPERATOR(pg_catalog.=) $2
       AND e.state OPERATOR(pg_catalog.=) 'waiting'",
    types![text, text],
);

fn switch_action(args: &Args) -> Answer {
    let campaign = args.id(0, "campaign_id")?;
    let from = args.action_named(1, "from_action")?;
    let to = args.action_named(2, "to_action")?;
    if from == to {
        return Err(Error::new(
            Code::UnknownValue,
            format!("from_action and to_action are both \"{}\"", to.name()),
            "Work is switched from one action to another.",
            "Pass the action that the campaign's work has now, and the one it is to have.",
        ));
    }
    let (moved, left_behind) = Spi::connect(|spi| switch(spi, campaign, from, to))?;
    Ok(Some(ANSWER.row(params![moved, left_behind])))
}

/// How often work is moved anew because another session enqueued the same under the new action meanwhile.
const MOVES_MAX: usize = 8;

fn move_waiting(
    spi: &Spi,
    campaign: &str,
    held: &[Held<'_>],
    (from, to): (Action, Action),
    now: Instant,
) -> Result<i32> {
    for _ in 0..MOVES_MAX {
        let held = array(Element::Text, held.iter().map(|held| held.id()));
        let values = params![campaign, from.name(), to.name(), now, held];
        // A key that was not there when the statement began is seen by the next one.
        let moved = attempt_unless_there(|| Ok(Some(spi.run_waiting(&MOVE, values)?.count())))?;
        if let Attempt::Kept(moved) = moved {
            return Ok(moved as i32);
        }
    }
    Err(Error::new(
        Code::Undecided,
        format!("the work of campaign \"{}\" cannot be moved while it is being enqueued", shown(campaign)),
        "Each time it was tried, another session had enqueued the same work under the new action meanwhile.",
        "Nothing was changed: try again.",
    ))
}

fn switch(spi: &Spi, campaign: &str, from: Action, to: Action) -> Result<(i32, i32)> {
    commit::synchronously();
    let rows = spi.run_waiting(&HOLD_ACCOUNTS, params![campaign, from.name()])?;
    let ids: Vec<String> = rows.iter().map(|mut row| row.value()).collect();
    let held: Vec<Held<'_>> = ids.iter().map(|id| Held::by_statement(id)).collect();
    let now = clock::now();
    let moved = move_waiting(spi, campaign, &held, (from, to), now)?;
    let left_behind =
        spi.run(&LEFT_BEHIND, params![campaign, from.name()]).first().map_or(0, |mut row| row.value());
    if moved > 0 {
        dispatch_queue::wake_campaign(spi, campaign, now);
        let change = (
            json!({ "action": from.name() }),
            json!({ "action": to.name(), "moved": moved, "left_behind": left_behind }),
        );
        admin_log::write(spi, "switch_action", None, Some(campaign), change, None);
    }
    Ok((moved, left_behind))
}
