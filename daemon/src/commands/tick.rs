//! `tick`: runs the jobs that are due once, and ends.

use std::io::Write;
use std::sync::Arc;

use crate::config::target::Target;
use crate::error::Result;
use crate::job::Outcome;
use crate::tasks::scheduler::Scheduler;

/// One round of all jobs. Answers whether none of them failed.
pub async fn tick(target: Arc<Target>) -> Result<bool> {
    let (_stopper, shutdown) = crate::shutdown::channel();
    let outcomes = Scheduler::new(target, shutdown, Arc::default()).single_round().await?;
    let mut out = std::io::stdout().lock();
    for (job, outcome) in &outcomes {
        // An error means that the reader closed the output and does not want to know.
        let _ = writeln!(out, "{:<21} {outcome}", job.name());
    }
    Ok(!outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))))
}
