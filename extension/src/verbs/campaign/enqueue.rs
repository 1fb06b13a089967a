//! `enqueue`: adds a prospect to a campaign's work. It holds no account, so that a list of a million
//! prospects in one transaction delays no sender.

use crate::postgres::arrivals;
use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::jsonb::Jsonb;
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::{self, unknown};
use crate::tables::dispatch_queue;
use crate::tables::suppressions;
use crate::verbs::campaign::work::{self, Work};
use pgrx::pg_sys;

sql_statements!(sendgate_enqueue, pg_finfo_sendgate_enqueue, enqueue);

static IS_ACCOUNT: Statement =
    Statement::new("SELECT 1 FROM sendgate.accounts a WHERE a.id OPERATOR(pg_catalog.=) $1", types![text]);

static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.enrollments (enqueued_at, changed_at, next_dispatch_at, is_connection,
         account_id, prospect_id, campaign_id, action, step, priority, payload)
     VALUES ($1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
     ON CONFLICT (account_id, prospect_id, campaign_id, action, step) DO NOTHING",
    types![instant, instant, bool, text, text, text, text, int2, int2, jsonb],
);

const KEY_TYPES: &[pg_sys::Oid] = types![text, text, text, text, int2];

static IS_UNCONNECTED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.enrollments e
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5 AND NOT e.is_connection",
    KEY_TYPES,
);

static CONNECT: Statement = Statement::new(
    "UPDATE sendgate.enrollments e SET is_connection = true
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3 AND e.action OPERATOR(pg_catalog.=) $4
       AND e.step OPERATOR(pg_catalog.=) $5",
    KEY_TYPES,
);

fn enqueue(args: &Args) -> Answer {
    let work = Work {
        campaign: args.id(0, "campaign_id")?,
        prospect: args.id(1, "prospect_id")?,
        account: args.id(2, "account_id")?,
        action: args.action(3)?,
        dispatch_at: args.optional_instant(4, "dispatch_at")?,
        is_connection: args.required(5, "is_connection")?,
        step: work::step(args.required(6, "step")?)?,
        payload: args.optional::<Jsonb>(7).map(work::payload).transpose()?,
        priority: work::priority(args.required(8, "priority")?)?,
    };
    let is_new = Spi::connect(|spi| insert(spi, &work))?;
    Ok(is_new.param())
}

/// Inserts the work; `false` when it is there already, and only its connection flag may change, or when its
/// prospect is suppressed for good.
fn insert(spi: &Spi, work: &Work<'_>) -> Result<bool> {
    arrivals::lock(work.account)?;
    if spi.run_on_latest_snapshot(&IS_ACCOUNT, params![work.account]).count() == 0 {
        return Err(unknown(work.account));
    }
    let now = clock::now();
    let due_at = work.dispatch_at.unwrap_or(now);
    let (account, prospect, campaign) = (work.account, work.prospect, work.campaign);
    let action = work.action.name();
    let values = params![
        now,
        due_at,
        work.is_connection,
        account,
        prospect,
        campaign,
        action,
        work.step,
        work.priority,
        work.payload.as_ref()
    ];
    let spared = suppressions::of(prospect)?.is_some_and(|found| found.rule.until.is_none());
    if !spared && spi.run_waiting(&INSERT, values)?.count() == 1 {
        dispatch_queue::ticket(spi, account, work.action, due_at);
        return Ok(true);
    }
    let key = params![account, prospect, campaign, action, work.step];
    if work.is_connection && spi.run(&IS_UNCONNECTED, key).count() > 0 {
        let (held, _) = accounts::hold(account)?;
        spi.run(&CONNECT, params![held.id(), prospect, campaign, action, work.step]);
    }
    Ok(false)
}
