//! The jobs, and what became of one in a round.

use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// The jobs, in the order in which they run: layer 2 looks for what layer 1 heals, so it comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Job {
    /// Writes down that a new day began.
    MidnightReset,
    /// Layer 2: holds counters against proven deliveries.
    AuditEvents,
    /// Layer 1: counters become what the journal counts.
    ReconcileOperations,
    /// Old rows leave.
    Prune,
}

impl Job {
    /// All of them, in order.
    pub const ALL: [Job; 4] = [Job::MidnightReset, Job::AuditEvents, Job::ReconcileOperations, Job::Prune];

    /// Its name, which is that of its function.
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

/// What became of a job in one round.
#[derive(Debug)]
pub enum Outcome {
    /// It is not due, or somebody else runs it.
    NotDue,
    /// It failed a moment ago and is left alone for a while.
    Resting,
    /// It ran to its end.
    Done {
        /// Rows looked at.
        checked: i64,
        /// Rows changed.
        changed: i64,
        /// Transactions.
        batches: u32,
        /// How long it took.
        took: Duration,
    },
    /// It failed, and that was recorded.
    Failed(Error),
    /// The daemon was told to stop while it ran.
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
