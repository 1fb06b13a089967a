//! `take_breaker_lines`: the lines of the breaker log that nobody has printed yet. Taken by deleting,
//! inside the taker's transaction: rolled back, they are there again; two takers never get the same.

use pgrx::pg_sys;

use crate::entry::{Answer, Args, sql_function};
use crate::record_set;
use crate::statement::{Param, Spi, Statement, params};

sql_function!(sendgate_take_breaker_lines, pg_finfo_sendgate_take_breaker_lines, take_breaker_lines);

/// Most lines of one call.
const LINES_MAX: i32 = 10_000;

/// The order of the keys is the order of writing for each account: ids grow with time.
static TAKE: Statement = Statement::new(
    "WITH taken AS (
         DELETE FROM sendgate.breaker_outbox o
         USING (SELECT w.account_id, w.id FROM sendgate.breaker_outbox w
                ORDER BY w.id LIMIT $1 FOR UPDATE SKIP LOCKED) w
         WHERE o.account_id OPERATOR(pg_catalog.=) w.account_id AND o.id OPERATOR(pg_catalog.=) w.id
         RETURNING o.account_id, o.id)
     SELECT l.id, l.at, l.account_id::pg_catalog.text, l.action, l.reason, l.actor, l.exhausted_at,
            l.prospect_id::pg_catalog.text, l.campaign_id::pg_catalog.text, l.note
     FROM taken t
     JOIN sendgate.breaker_log l
         ON l.account_id OPERATOR(pg_catalog.=) t.account_id AND l.id OPERATOR(pg_catalog.=) t.id
     ORDER BY l.at, l.id",
    &[pg_sys::INT4OID],
);

fn take_breaker_lines(args: &Args) -> Answer {
    let limit = args.number(0, "max_rows", 1, LINES_MAX)?;
    Spi::connect(|spi| {
        let rows = spi.run(&TAKE, params![limit]);
        let lines: Vec<Vec<Param>> = rows.iter().map(|row| row.into_params()).collect();
        record_set::return_rows(args, &lines, |line| line.clone());
        Ok(())
    })?;
    Ok(Some(pg_sys::Datum::null()))
}
