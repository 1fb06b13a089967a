//! `prune`: old rows leave. Never an unresolved operation, nor anything of the current week or credit
//! period.

use pgrx::pg_sys;
use sendgate_decision::clock::{DAY, Instant};

use super::job::{self, Done, Held, Job};
use crate::entry::{Answer, Args, null_argument, sql_function};
use crate::error::{Code, Error, Result};
use crate::settings::{self, KEEP_DAYS_MIN};
use crate::statement::{Spi, Statement, params};
use crate::triggers;

sql_function!(sendgate_prune, pg_finfo_sendgate_prune, prune);

/// Longest, in days: a hundred years.
const KEEP_DAYS_MAX: i64 = 36_600;
/// Most rows of one call.
const ROWS_MAX: i32 = 1_000_000;

macro_rules! prune_statement {
    ($table:literal, $where:literal) => {
        Statement::new(
            concat!(
                "DELETE FROM sendgate.",
                $table,
                " t WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
                      SELECT o.ctid FROM sendgate.",
                $table,
                " o WHERE ",
                $where,
                " LIMIT $2))"
            ),
            &[pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID],
        )
    };
}

/// Settled operations, before a cutoff of their own.
static JOURNAL: Statement = prune_statement!(
    "send_operations",
    "o.reserved_at OPERATOR(pg_catalog.<) $1
         AND o.settled_at OPERATOR(pg_catalog.<) $1
         AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['delivered', 'released'])
         AND o.counted_on OPERATOR(pg_catalog.<) ($1 AT TIME ZONE 'UTC')::pg_catalog.date"
);

/// What is deleted before the first cutoff.
static OLD: [Statement; 8] = [
    prune_statement!(
        "breaker_log",
        "o.at OPERATOR(pg_catalog.<) $1
         AND NOT EXISTS (SELECT FROM sendgate.breaker_outbox w
                         WHERE w.account_id OPERATOR(pg_catalog.=) o.account_id
                           AND w.id OPERATOR(pg_catalog.=) o.id)"
    ),
    prune_statement!("campaign_events", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("counter_drift", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("admin_log", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("reconcile_runs", "o.finished_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("alerts", "o.resolved_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("dispatch_requests", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!(
        "enrollments",
        "o.changed_at OPERATOR(pg_catalog.<) $1
         AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['done', 'cancelled'])"
    ),
];

/// And before the second.
static EVENTS: Statement = prune_statement!(
    "linkedin_events",
    "o.recorded_at OPERATOR(pg_catalog.<) $1
         AND o.occurred_at OPERATOR(pg_catalog.<) $1"
);

fn prune(args: &Args) -> Answer {
    let keep = keep(args, 0, "keep")?;
    let keep_events = self::keep(args, 1, "keep_events")?;
    let limit = args.number(2, "max_rows", 1, ROWS_MAX)?;
    job::run(Job::Prune, |spi, held| delete(spi, held, keep, keep_events, limit))
}

fn keep(args: &Args, position: usize, name: &str) -> Result<i64> {
    let kept = args.optional_interval(position, name, KEEP_DAYS_MAX)?.ok_or_else(|| null_argument(name))?;
    if kept < i64::from(KEEP_DAYS_MIN) * DAY {
        return Err(Error::new(
            Code::TimeOutOfRange,
            format!("{name} is too short: {} days", kept / DAY),
            format!(
                "The current week and credit period are needed for decisions: at least {KEEP_DAYS_MIN} days are kept."
            ),
            format!("Pass {name} => '90 days', say."),
        ));
    }
    Ok(kept)
}

fn delete(spi: &Spi, held: &Held, keep: i64, keep_events: i64, limit: i32) -> Result<Done> {
    let mut left = i64::from(limit);
    triggers::pruning(|| {
        // An operation keeps its prospect cool for longer than it may be asked for otherwise.
        let journal = keep.max(settings::prospect_cooldown().saturating_add(DAY));
        left -= delete_some(spi, &JOURNAL, held.now.plus(-journal), left);
        for statement in &OLD {
            left -= delete_some(spi, statement, held.now.plus(-keep), left);
        }
        left -= delete_some(spi, &EVENTS, held.now.plus(-keep_events), left);
    });
    let changed = i64::from(limit) - left;
    Ok(Done { checked: changed, changed, next: None, more: left == 0 })
}

fn delete_some(spi: &Spi, statement: &Statement, before: Instant, limit: i64) -> i64 {
    if limit == 0 { 0 } else { spi.run(statement, params![before, limit]).count() as i64 }
}
