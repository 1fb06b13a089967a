//! `prune`: old rows leave. Never an unresolved operation, nor anything of the current week or credit
//! period.

use crate::books::run::{self, Batch, Cursor, Done, Job};
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, null_argument, sql_statements};
use crate::postgres::gucs::{self, KEEP_DAYS_MIN};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::append_only;
use pgrx::pg_sys;
use sendgate_decision::clock::{DAY, Instant};

sql_statements!(sendgate_prune, pg_finfo_sendgate_prune, prune);

/// Longest, in days: a hundred years.
const KEEP_DAYS_MAX: i64 = 36_600;

/// Most rows of one call.
const ROWS_MAX: i32 = 1_000_000;

/// Pages that one statement reads: few enough that no worker notices the statement.
const PAGES_STEP: i64 = 1_000;

/// Pages that one call reads at most, 160 MB: a large table takes many calls, a small one part of one.
const PAGES_MAX: i64 = 20_000;

const PAGE_BYTES: i64 = pg_sys::BLCKSZ as i64;

/// Deletes what is old on some pages of a table. Each page is read once a sweep, also in tables whose
/// pruned space is used again, where no index on time would say which pages to leave out.
macro_rules! prune_statement {
    ($table:literal, $where:literal) => {
        (
            $table,
            Statement::new(
                concat!(
                    "DELETE FROM sendgate.",
                    $table,
                    " t WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
                          SELECT o.ctid FROM sendgate.",
                    $table,
                    " o WHERE o.ctid OPERATOR(pg_catalog.>=) ($3::pg_catalog.tid)
                         AND o.ctid OPERATOR(pg_catalog.<) ($4::pg_catalog.tid) AND ",
                    $where,
                    " LIMIT $2))"
                ),
                types![instant, int8, text, text],
            ),
        )
    };
}

/// Its name and what deletes from it.
type Table = (&'static str, Statement);

/// What is pruned, in the order of a sweep: settled operations, what hangs on nothing, proven deliveries.
static TABLES: [Table; 15] = [
    prune_statement!(
        "send_operations",
        "o.reserved_at OPERATOR(pg_catalog.<) $1
         AND o.settled_at OPERATOR(pg_catalog.<) $1
         AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['delivered', 'released'])
         AND o.counted_on OPERATOR(pg_catalog.<) ($1 AT TIME ZONE 'UTC')::pg_catalog.date"
    ),
    // What waits for a webhook that no daemon knows any more, and that webhook.
    prune_statement!(
        "webhook_outbox",
        "NOT EXISTS (SELECT FROM sendgate.webhooks w
                     WHERE w.name OPERATOR(pg_catalog.=) o.webhook
                       AND w.seen_at OPERATOR(pg_catalog.>=) $1)"
    ),
    prune_statement!("webhooks", "o.seen_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!(
        "breaker_log",
        "o.at OPERATOR(pg_catalog.<) $1
         AND NOT EXISTS (SELECT FROM sendgate.breaker_outbox w
                         WHERE w.account_id OPERATOR(pg_catalog.=) o.account_id
                           AND w.id OPERATOR(pg_catalog.=) o.id)"
    ),
    prune_statement!("campaign_events", "o.at OPERATOR(pg_catalog.<) $1"),
    // What still cools down keeps its cause.
    prune_statement!(
        "cooldown_log",
        "o.at OPERATOR(pg_catalog.<) $1
         AND (o.until IS NULL OR o.until OPERATOR(pg_catalog.<=) sendgate.clock())"
    ),
    prune_statement!("credit_balances", "o.recorded_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("counter_drift", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("admin_log", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("reconcile_runs", "o.finished_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("alerts", "o.resolved_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("observed_refusals", "o.last_at OPERATOR(pg_catalog.<) $1"),
    prune_statement!("dispatch_requests", "o.at OPERATOR(pg_catalog.<) $1"),
    prune_statement!(
        "enrollments",
        "o.changed_at OPERATOR(pg_catalog.<) $1
         AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['done', 'cancelled'])"
    ),
    prune_statement!(
        "linkedin_events",
        "o.recorded_at OPERATOR(pg_catalog.<) $1
         AND o.occurred_at OPERATOR(pg_catalog.<) $1"
    ),
];

const JOURNAL: usize = 0;

const WEBHOOK_OUTBOX: usize = 1;
const WEBHOOKS: usize = 2;

/// How long a webhook is remembered that no daemon has asked about: a daemon may be down for so long.
const WEBHOOK_UNSEEN_MAX: i64 = 7 * DAY;

const EVENTS: usize = TABLES.len() - 1;

static SIZE: Statement = Statement::new(
    "SELECT pg_catalog.pg_relation_size(($1::pg_catalog.text)::pg_catalog.regclass)",
    types![text],
);

/// How long what is kept, in microseconds.
#[derive(Clone, Copy)]
struct Keep {
    most: i64,
    events: i64,
}

/// Where the sweep goes on: on this page of this table.
struct Page {
    table: usize,
    page: i64,
}

impl Page {
    /// A sweep that was begun with other arguments is not gone on with.
    fn read(batch: &Batch, keep: Keep) -> Page {
        let at = |cursor: &Cursor| {
            let mut parts = cursor.account.split(' ');
            let mut next = || parts.next()?.parse::<i64>().ok();
            let (table, page, most, events) = (next()?, next()?, next()?, next()?);
            let same = (most, events) == (keep.most, keep.events) && (table as usize) < TABLES.len();
            same.then_some(Page { table: table as usize, page })
        };
        batch.from.as_ref().and_then(at).unwrap_or(Page { table: 0, page: 0 })
    }

    fn cursor(&self, batch: &Batch, keep: Keep) -> Cursor {
        let account = format!("{} {} {} {}", self.table, self.page, keep.most, keep.events);
        Cursor { day: batch.now.day(), account }
    }
}

fn prune(args: &Args) -> Answer {
    let keep = Keep { most: keep(args, 0, "keep")?, events: keep(args, 1, "keep_events")? };
    let limit = args.number(2, "max_rows", 1, ROWS_MAX)?;
    run::run(Job::Prune, |spi, batch| delete(spi, batch, keep, limit))
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

fn delete(spi: &Spi, batch: &Batch, keep: Keep, limit: i32) -> Result<Done> {
    let (mut left, mut pages) = (i64::from(limit), PAGES_MAX);
    let mut at = Page::read(batch, keep);
    append_only::deleting(|| {
        while at.table < TABLES.len() {
            let (name, statement) = &TABLES[at.table];
            let size = size(spi, name);
            let before = batch.now.plus(-kept(keep, at.table));
            while at.page < size && left > 0 && pages > 0 {
                let until = at.page + PAGES_STEP.min(pages);
                let deleted = delete_some(spi, statement, before, left, (at.page, until));
                left -= deleted;
                // With nothing left there may be more on these very pages.
                if left > 0 {
                    pages -= until - at.page;
                    at.page = until;
                }
            }
            if at.page < size {
                break;
            }
            at = Page { table: at.table + 1, page: 0 };
        }
    });
    let changed = i64::from(limit) - left;
    let next = (at.table < TABLES.len()).then(|| at.cursor(batch, keep));
    Ok(Done { checked: changed, changed, next, ..Done::default() })
}

fn kept(keep: Keep, table: usize) -> i64 {
    match table {
        // An operation keeps its prospect cool for longer than it may be asked for otherwise.
        JOURNAL => keep.most.max(gucs::prospect_cooldown().saturating_add(DAY)),
        EVENTS => keep.events,
        WEBHOOK_OUTBOX | WEBHOOKS => WEBHOOK_UNSEEN_MAX,
        _ => keep.most,
    }
}

/// In pages.
fn size(spi: &Spi, table: &str) -> i64 {
    let name = format!("sendgate.{table}");
    let bytes = spi.run(&SIZE, params![&name]).first().map_or(0, |mut row| row.value::<i64>());
    bytes / PAGE_BYTES
}

fn delete_some(
    spi: &Spi,
    statement: &Statement,
    before: Instant,
    limit: i64,
    (from, until): (i64, i64),
) -> i64 {
    let (from, until) = (format!("({from},0)"), format!("({until},0)"));
    spi.run(statement, params![before, limit, &from, &until]).count() as i64
}
