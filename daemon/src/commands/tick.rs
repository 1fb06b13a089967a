//! `tick`: runs once whatever is due, and ends.

use std::io::Write;
use std::sync::Arc;

use crate::config::target::Target;
use crate::error::Result;
use crate::job::Outcome;
use crate::tasks::scheduler::Scheduler;

/// One round of all jobs; whether all went well.
pub async fn tick(target: Arc<Target>) -> Result<bool> {
    let (_stopper, shutdown) = crate::shutdown::channel();
    let outcomes = Scheduler::new(target, shutdown, Arc::default()).single_round().await?;
    let mut out = std::io::stdout().lock();
    for (job, outcome) in &outcomes {
        // Whoever closed the output does not want to know.
        let _ = writeln!(out, "{:<21} {outcome}", job.name());
    }
    Ok(!outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))))
}
