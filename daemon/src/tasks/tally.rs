//! What this process did since it began.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use crate::job::{Job, Outcome};

/// What this process did since it began.
#[derive(Debug)]
pub struct Tally {
    pub(super) started_at: SystemTime,
    pub(super) runs_ok: [AtomicU64; Job::ALL.len()],
    pub(super) runs_failed: [AtomicU64; Job::ALL.len()],
    pub(super) run_micros: [AtomicU64; Job::ALL.len()],
    pub(super) rounds: AtomicU64,
    pub(super) lines: AtomicU64,
    pub(super) reconnects: AtomicU64,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            started_at: SystemTime::now(),
            runs_ok: Default::default(),
            runs_failed: Default::default(),
            run_micros: Default::default(),
            rounds: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            reconnects: AtomicU64::new(0),
        }
    }
}

impl Tally {
    /// Counts a run.
    pub fn job_ran(&self, job: Job, outcome: &Outcome) {
        match outcome {
            Outcome::Done { took, .. } => {
                self.runs_ok[job.index()].fetch_add(1, Ordering::Relaxed);
                self.run_micros[job.index()].fetch_add(took.as_micros() as u64, Ordering::Relaxed);
            }
            Outcome::Failed(_) => {
                self.runs_failed[job.index()].fetch_add(1, Ordering::Relaxed);
            }
            Outcome::NotDue | Outcome::Resting | Outcome::Stopped => (),
        }
    }

    /// Counts a round in which the database was asked for every job.
    pub fn round_ended(&self) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts printed lines.
    pub fn lines_printed(&self, lines: usize) {
        self.lines.fetch_add(lines as u64, Ordering::Relaxed);
    }

    /// Counts a connection that is given up: lost, not made, or of no use.
    pub fn reconnected(&self) {
        self.reconnects.fetch_add(1, Ordering::Relaxed);
    }
}
