//! `tick`: runs the jobs that are due once, and ends.

use std::io::Write;

use futures_util::future::join_all;

use crate::config::databases::Database;
use crate::db::Purpose;
use crate::db::served::{close, reach};
use crate::error::Result;
use crate::job::Outcome;
use crate::tasks::scheduler::Scheduler;
use crate::tasks::tally::Tally;
use crate::terminal::stripped;

/// One round of all jobs, of all databases at once. Answers whether none of them failed, and every database was reached.
pub async fn tick(databases: &[Database]) -> Result<bool> {
    if let [_, _, ..] = databases {
        close(reach(databases, Purpose::Command).await?).await;
    }
    let (_stopper, shutdown) = crate::shutdown::channel();
    let tallies = Tally::of(databases.iter().map(|database| database.label().cloned()));
    let rounds = databases.iter().zip(tallies).map(|(database, tally)| {
        Scheduler::new(database.target.clone(), shutdown.clone(), tally).single_round()
    });
    let mut well = true;
    for (database, round) in databases.iter().zip(join_all(rounds).await) {
        let mut out = std::io::stdout().lock();
        let name = database.label().map_or_else(String::new, |name| format!("{}: ", stripped(name)));
        let outcomes = match (round, database.label()) {
            (Ok(outcomes), _) => outcomes,
            (Err(error), None) => return Err(error),
            (Err(error), Some(_)) => {
                well = false;
                let _ = writeln!(out, "{name}{}", stripped(&error.to_string()));
                continue;
            }
        };
        for (job, outcome) in &outcomes {
            // An error means that the reader closed the output and does not want to know.
            let _ = writeln!(out, "{name}{:<21} {outcome}", job.name());
        }
        well &= !outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    }
    Ok(well)
}
