//! The jobs, and the outcome of one in a round.

use std::fmt;
use std::time::Duration;

/// The jobs, in the order in which they run: layer 2 looks for drift that layer 1 repairs, so it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Records that a new day began.
    MidnightReset,
    /// Layer 2: compares counters with proven deliveries.
    AuditEvents,
    /// Layer 1: sets counters to the journal's counts.
    ReconcileOperations,
    /// Deletes old rows.
    Prune,
}

impl Job {
    /// All of them, in order.
    pub const ALL: [Job; 4] = [Job::MidnightReset, Job::AuditEvents, Job::ReconcileOperations, Job::Prune];

    /// Its name, which is also the name of its SQL function.
    pub const fn name(self) -> &'static str {
        match self {
            Job::MidnightReset => "midnight_reset",
            Job::AuditEvents => "audit_events",
            Job::ReconcileOperations => "reconcile_operations",
            Job::Prune => "prune",
        }
    }

    /// Its place in [`Job::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// The outcome of a job in one round.
#[derive(Debug)]
pub enum Outcome {
    /// It is not due, or another process runs it.
    NotDue,
    /// It failed a moment ago and is left alone for a while.
    Resting,
    /// It ran to its end.
    Done {
        /// Rows looked at.
        checked: i64,
        /// Rows changed.
        changed: i64,
        /// Batches, each a transaction.
        batches: u32,
        /// Time from its first batch to its end.
        took: Duration,
    },
    /// It failed with this error, which was recorded.
    Failed(String),
    /// The shutdown ended it.
    Stopped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::NotDue => f.write_str("not due"),
            Outcome::Resting => f.write_str("left alone after a failure"),
            Outcome::Done { checked, changed, batches, took } => {
                let seconds = took.as_secs_f64();
                write!(f, "done: {checked} checked, {changed} changed, {batches} batches, {seconds:.3} s")
            }
            Outcome::Failed(error) => write!(f, "FAILED: {error}"),
            Outcome::Stopped => f.write_str("stopped"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_audit_comes_before_what_heals() {
        let place = |job| Job::ALL.iter().position(|j| *j == job);
        assert!(place(Job::AuditEvents) < place(Job::ReconcileOperations));
        assert!(Job::ALL.iter().enumerate().all(|(n, job)| job.index() == n));
    }
}
