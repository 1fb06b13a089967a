//! What ends a quarantine: sweeps of layers 1 and 2 that began under it and met every account.
//!
//! A sweep notes the quarantine under which it began, by its id. Times would not do: the runs that a
//! restored backup remembers may lie in this server's future.

use crate::postgres::error::Result;
use crate::postgres::ids::Id;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};

/// The jobs that a quarantine waits for, in the order in which they run.
pub const WATCHED: [&str; 2] = ["audit_events", "reconcile_operations"];

static CURRENT: Statement = Statement::new(
    "SELECT p.quarantine_id FROM sendgate.pause_switch p WHERE p.quarantine_id IS NOT NULL",
    &[],
);

static SWEPT: Statement = Statement::new(
    "SELECT j.job FROM sendgate.jobs j WHERE j.whole_under OPERATOR(pg_catalog.=) $1",
    types![uuid],
);

static LEAVE_OUT: Statement = Statement::new(
    "UPDATE sendgate.jobs j SET sweep_passed_over = j.sweep_passed_over OPERATOR(pg_catalog.+) 1
     FROM sendgate.pause_switch p WHERE j.sweep_under OPERATOR(pg_catalog.=) p.quarantine_id",
    &[],
);

/// The id of the quarantine that is on, if one is.
pub fn current(spi: &Spi) -> Option<Id> {
    spi.run(&CURRENT, &[]).first().and_then(|mut row| row.nullable_uuid())
}

/// Which of the jobs have not met every account in a sweep that began under this quarantine.
pub fn unswept(spi: &Spi, id: Id) -> Vec<&'static str> {
    let swept: Vec<String> = spi.run(&SWEPT, params![id]).iter().map(|mut row| row.value()).collect();
    WATCHED.into_iter().filter(|job| !swept.iter().any(|name| name == job)).collect()
}

/// Tells sweeps that are under way that they do not meet every account: one is about to be moved to a
/// place that they may have passed. Waits for a batch that is running; to be called before an account
/// is held, as a batch takes its job first.
///
/// # Errors
/// `SG301` when the batch takes too long.
pub fn leave_out(spi: &Spi) -> Result<()> {
    spi.run_waiting(&LEAVE_OUT, &[])?;
    Ok(())
}
