//! `take_breaker_lines`: the lines of the breaker log that have not been printed yet. It deletes them in the
//! caller's transaction: if that is aborted, they are there again. Two callers never get the same line.

use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::{Param, params, types};
use crate::postgres::record;
use crate::postgres::statement::{Spi, Statement};
use pgrx::pg_sys;

sql_function!(sendgate_take_breaker_lines, pg_finfo_sendgate_take_breaker_lines, take_breaker_lines);

/// Most lines of one call.
const LINES_MAX: i32 = 10_000;

/// The order of the keys is the order of writing for each account: ids grow with time.
///
/// Nothing here is left to the planner's idea of how many lines wait, which is none most of the time: the
/// lines to be taken are chosen once, as an array. As a relation to be joined they were chosen anew for
/// each line that waits, and more of them than asked for; and the log would be read from end to end.
static TAKE: Statement = Statement::new(
    "WITH taken AS (
         DELETE FROM sendgate.breaker_outbox o
         WHERE o.ctid OPERATOR(pg_catalog.=) ANY (ARRAY(
             SELECT w.ctid FROM sendgate.breaker_outbox w
             ORDER BY w.id LIMIT $1 FOR UPDATE SKIP LOCKED))
         RETURNING o.account_id, o.id)
     SELECT l.id, l.at, l.account_id::pg_catalog.text, l.action, l.reason, l.actor, l.exhausted_at,
            l.prospect_id::pg_catalog.text, l.campaign_id::pg_catalog.text, l.note, l.operation_id,
            l.http_status, l.error_type
     FROM taken t
     CROSS JOIN LATERAL (
         SELECT b.* FROM sendgate.breaker_log b
         WHERE b.account_id OPERATOR(pg_catalog.=) t.account_id AND b.id OPERATOR(pg_catalog.=) t.id
         LIMIT 1) l
     ORDER BY l.at, l.id",
    types![int4],
);

fn take_breaker_lines(args: &Args) -> Answer {
    let limit = args.number(0, "max_rows", 1, LINES_MAX)?;
    Spi::connect(|spi| {
        let rows = spi.run(&TAKE, params![limit]);
        let lines: Vec<Vec<Param>> = rows.iter().map(|row| row.into_params()).collect();
        record::return_rows(args, &lines, |line| line.clone());
        Ok(())
    })?;
    Ok(Some(pg_sys::Datum::null()))
}
