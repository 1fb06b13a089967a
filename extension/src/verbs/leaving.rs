//! What leaves for ever: an account with all its rows, and who a prospect was.

mod forget_prospect;
mod remove_account;

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Args, show_instant, shown};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use sendgate_decision::clock::Instant;

/// Most rows of one call.
const ROWS_MAX: i32 = 1_000_000;

/// A table of ours whose row security is forced on its owner too.
static HIDES_ROWS: Statement = Statement::new(
    "SELECT c.relname::pg_catalog.text
     FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
     WHERE n.nspname OPERATOR(pg_catalog.=) 'sendgate' AND c.relrowsecurity AND c.relforcerowsecurity
     ORDER BY 1
     LIMIT 1",
    types![],
);

/// Raises 55000 where row security may hide rows from us: they would stay for ever, and the answer would say that all
/// are gone.
fn must_see_every_row(spi: &Spi) {
    let Some(mut row) = spi.run_on_latest_snapshot(&HIDES_ROWS, params![]).first() else { return };
    let table: String = row.value();
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    ErrorReport::new(code, format!("row security is forced on sendgate.{table}"), "sendgate")
        .set_detail("It may hide rows that have to go, and they would stay for ever. Nothing was changed.")
        .set_hint(format!("Run ALTER TABLE sendgate.{table} NO FORCE ROW LEVEL SECURITY, and call again."))
        .report(PgLogLevel::ERROR);
}

fn max_rows(args: &Args, position: usize) -> Result<i64> {
    args.number(position, "max_rows", 1, ROWS_MAX).map(i64::from)
}

/// The error for what cannot leave yet. `what` is the account or the prospect.
fn under_way(what: &str, id: &str, until: Instant) -> Error {
    Error::new(
        Code::SendUnderWay,
        format!("a send is under way: {what} \"{}\"", shown(id)),
        format!(
            "An operation of this {what} is unresolved and in time until {}: a worker may be calling the provider.",
            show_instant(until)
        ),
        "Nothing was changed. Wait for its outcome, or for that instant, and call again.",
    )
}
