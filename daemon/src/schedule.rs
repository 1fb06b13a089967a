//! The rules of waiting, without a clock and without chance: both are arguments.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// How often the database is asked what is due if nobody says otherwise. Asking costs four small
/// statements; midnight is at most this late.
pub const POLL_DEFAULT: Duration = Duration::from_secs(3);

/// Shortest pause between two rounds: more would be a loop without one.
pub const POLL_MIN: Duration = Duration::from_millis(5);

/// Longest: the reconcilers' ten minutes are kept to within a tenth.
pub const POLL_MAX: Duration = Duration::from_secs(60);

/// Longest pause between two batches.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// How long a sweep rests after a batch: twice as long as that took, so that it takes a third of a core
/// at most and workers have the rest. Nobody waits for a sweep.
pub fn pause_after(batch: Duration) -> Duration {
    batch.saturating_mul(2).min(PAUSE_MAX)
}

/// Longest run of one job: the database takes one that began an hour ago for dead.
pub const RUN_MAX: Duration = Duration::from_secs(50 * 60);

/// Waits that double, between two bounds.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// For connections: at first as short as a failover may be, never so long that people notice.
    pub const fn of_connections() -> Backoff {
        Backoff::new(Duration::from_millis(200), Duration::from_secs(10))
    }

    /// For a job that fails: each attempt leaves a row, and most causes want a person.
    pub const fn of_jobs() -> Backoff {
        Backoff::new(Duration::from_secs(30), Duration::from_secs(600))
    }

    /// Waits between `first` and `longest`.
    pub const fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { first, longest, failures: 0 }
    }

    /// It went well: the next wait is the first one again.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure. `chance`, from 0 to 1, takes up to half of it away, so that
    /// daemons that lost the same server do not come back all at once.
    pub fn after_failure(&mut self, chance: f64) -> Duration {
        let doublings = self.failures.min(20);
        self.failures = self.failures.saturating_add(1);
        let full = self.first.saturating_mul(1 << doublings).min(self.longest);
        full.mul_f64(1.0 - chance.clamp(0.0, 1.0) / 2.0)
    }
}

/// A number from 0 to 1, as unpredictable as waits need it.
pub fn chance() -> f64 {
    let random = RandomState::new().hash_one(0_u8);
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Job;

    #[test]
    fn waits_double_up_to_the_longest_and_start_afresh() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(5));
        let waits: Vec<u64> = (0..5).map(|_| backoff.after_failure(0.0).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.after_failure(0.0), Duration::from_secs(1));
    }

    #[test]
    fn chance_takes_at_most_half_away() {
        let mut backoff = Backoff::new(Duration::from_secs(8), Duration::from_secs(8));
        assert_eq!(backoff.after_failure(1.0), Duration::from_secs(4));
        assert_eq!(backoff.after_failure(7.0), Duration::from_secs(4));
        assert_eq!(backoff.after_failure(0.5), Duration::from_secs(6));
    }

    #[test]
    fn a_hundred_failures_do_not_overflow() {
        let mut backoff = Backoff::of_connections();
        let longest = (0..100).map(|_| backoff.after_failure(0.0)).max();
        assert_eq!(longest, Some(Duration::from_secs(10)));
    }

    #[test]
    fn a_sweep_rests_twice_as_long_as_it_works_and_no_longer_than_two_seconds() {
        assert_eq!(pause_after(Duration::from_millis(30)), Duration::from_millis(60));
        assert_eq!(pause_after(Duration::from_secs(60)), PAUSE_MAX);
    }

    #[test]
    fn chance_is_between_nought_and_one() {
        assert!((0..1000).map(|_| chance()).all(|c| (0.0..1.0).contains(&c)));
    }

    #[test]
    fn the_audit_comes_before_what_heals() {
        let place = |job| Job::ALL.iter().position(|j| *j == job);
        assert!(place(Job::AuditEvents) < place(Job::ReconcileOperations));
        assert!(Job::ALL.iter().enumerate().all(|(n, job)| job.index() == n));
    }
}
