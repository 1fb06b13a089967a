//! `take_notifications`: lends what a webhook is to be told now, one event of an account.
//!
//! The loan is written and committed; nothing is locked while the event is posted. A daemon that dies leaves its loans,
//! and they end by themselves. Of an account only the first event is ever lent, so that two daemons keep its order too.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, null_argument, sql_statements};
use crate::postgres::param::{Param, Span, params, types};
use crate::postgres::record;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::config;
use crate::tables::{webhook_outbox, webhooks};
use pgrx::pg_sys;
use sendgate_decision::clock::{HOUR, MINUTE, SECOND};

sql_statements!(sendgate_take_notifications, pg_finfo_sendgate_take_notifications, take_notifications);

/// Most events of one call: all are posted before the first is lent again.
const ROWS_MAX: i32 = 1_000;

/// The shortest and the longest loan.
const LEASE: (i64, i64) = (SECOND, HOUR);

static SEEN: Statement = Statement::new(
    "SELECT w.seen_at FROM sendgate.webhooks w WHERE w.name OPERATOR(pg_catalog.=) $1",
    types![text],
);

/// Two daemons may both do it: the row is the same afterwards.
static SEE: Statement = Statement::new(
    "UPDATE sendgate.webhooks w SET seen_at = $2 WHERE w.name OPERATOR(pg_catalog.=) $1",
    types![text, instant],
);

/// An instant as every reader understands it, whatever the session's time zone.
macro_rules! utc {
    ($column:literal) => {
        concat!("pg_catalog.to_char(", $column, " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    };
}

/// The rows to be lent are chosen once, as an array. The first of an account is asked for row by row, because a join
/// would read the whole outbox.
static TAKE: Statement = Statement::new(
    concat!(
        "WITH taken AS (
         UPDATE sendgate.webhook_outbox t
         SET attempts = t.attempts OPERATOR(pg_catalog.+) 1,
             not_before = $2 OPERATOR(pg_catalog.+) $3, first_tried_at = COALESCE(t.first_tried_at, $2)
         WHERE t.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
             SELECT o.ctid FROM sendgate.webhook_outbox o
             WHERE o.webhook OPERATOR(pg_catalog.=) $1 AND o.not_before OPERATOR(pg_catalog.<=) $2
               AND o.id OPERATOR(pg_catalog.=) (
                   SELECT e.id FROM sendgate.webhook_outbox e
                   WHERE e.webhook OPERATOR(pg_catalog.=) $1
                     AND e.account_id OPERATOR(pg_catalog.=) o.account_id
                   ORDER BY e.place, e.id LIMIT 1)
             ORDER BY o.not_before, o.at LIMIT $4 FOR UPDATE SKIP LOCKED))
         RETURNING t.account_id, t.id, t.event, t.source_id, t.at, t.attempts)
     SELECT t.id, t.account_id::pg_catalog.text, t.event, t.at, t.attempts,
            pg_catalog.jsonb_build_object(
                'account_id', t.account_id,
                'display_name', (SELECT a.display_name FROM sendgate.accounts a
                                 WHERE a.id OPERATOR(pg_catalog.=) t.account_id))
            OPERATOR(pg_catalog.||) CASE
            WHEN t.event OPERATOR(pg_catalog.=) ANY (ARRAY['alert_opened', 'alert_resolved']) THEN (
                SELECT pg_catalog.jsonb_build_object(
                    'alert_id', l.alert_id, 'kind', l.kind, 'day', l.day, 'detail', l.detail, 'opened_at', ",
        utc!("l.opened_at"),
        ", 'resolved_at', ",
        utc!("l.resolved_at"),
        ", 'acknowledged_by', l.acknowledged_by)
                FROM sendgate.alerts l
                WHERE l.account_id OPERATOR(pg_catalog.=) t.account_id
                  AND l.alert_id OPERATOR(pg_catalog.=) t.source_id)
            WHEN t.event OPERATOR(pg_catalog.=) 'cooldown_set' THEN (
                SELECT pg_catalog.jsonb_build_object(
                    'id', c.id, 'action', c.action, 'cause', c.cause, 'until', ",
        utc!("c.until"),
        ", 'operation_id', c.operation_id, 'http_status', c.http_status, 'error_type', c.error_type,
                    'error', c.error, 'actor', c.actor, 'note', c.note)
                FROM sendgate.cooldown_log c
                WHERE c.account_id OPERATOR(pg_catalog.=) t.account_id
                  AND c.id OPERATOR(pg_catalog.=) t.source_id)
            ELSE (
                SELECT pg_catalog.jsonb_build_object(
                    'id', b.id, 'reason', b.reason, 'exhausted_at', ",
        utc!("b.exhausted_at"),
        ", 'prospect_id', b.prospect_id, 'campaign_id', b.campaign_id, 'operation_id', b.operation_id,
                    'http_status', b.http_status, 'error_type', b.error_type, 'actor', b.actor, 'note', b.note)
                FROM sendgate.breaker_log b
                WHERE b.account_id OPERATOR(pg_catalog.=) t.account_id
                  AND b.id OPERATOR(pg_catalog.=) t.source_id)
            END
     FROM taken t
     ORDER BY t.at, t.account_id"
    ),
    types![text, instant, span, int4],
);

/// The columns of an answer that are read here.
const ID: usize = 0;
const ACCOUNT: usize = 1;
const DATA: usize = 5;

fn take_notifications(args: &Args) -> Answer {
    let webhook = args.id(0, "webhook")?;
    let limit = args.number(1, "max_rows", 1, ROWS_MAX)?;
    let lease = lease(args)?;
    Spi::connect(|spi| {
        let lent =
            if config::current(spi).is_copy() { Vec::new() } else { lend(spi, webhook, limit, lease)? };
        record::return_rows(args, &lent, |row| row.clone());
        Ok(())
    })?;
    Ok(Some(pg_sys::Datum::null()))
}

fn lend(spi: &Spi, webhook: &str, limit: i32, lease: i64) -> Result<Vec<Vec<Param>>> {
    let now = clock::now();
    let mut seen = spi.run(&SEEN, params![webhook]).first().ok_or_else(|| webhooks::unknown(webhook))?;
    let seen_at = seen.instant();
    if seen_at > now || seen_at <= now.plus(-MINUTE) {
        spi.run_waiting(&SEE, params![webhook, now])?;
    }
    let mut lent = Vec::new();
    for row in spi.run(&TAKE, params![webhook, now, Span(lease), limit]).iter() {
        let row = row.into_params();
        if row[DATA].is_some() {
            lent.push(row);
        } else {
            // What tells of it is gone, by a DBA's hand: there is nothing to post.
            webhook_outbox::remove(spi, webhook, row[ACCOUNT], row[ID]);
        }
    }
    Ok(lent)
}

fn lease(args: &Args) -> Result<i64> {
    let lease = args.optional_interval(2, "lease", 1)?.ok_or_else(|| null_argument("lease"))?;
    if (LEASE.0..=LEASE.1).contains(&lease) {
        return Ok(lease);
    }
    Err(Error::new(
        Code::TimeOutOfRange,
        format!("lease is out of range: {} microseconds", lease),
        "A loan lasts from a second to an hour: longer than an attempt takes, and no longer than its repetition may wait.",
        "Pass lease => '1 minute', say.",
    ))
}
