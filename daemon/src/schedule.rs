//! The rules of waiting, without a clock and without randomness: both are arguments.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The default pause between two rounds. A round costs four small statements, and midnight is at most this
/// late.
pub const POLL_DEFAULT: Duration = Duration::from_secs(3);

/// Shortest pause between two rounds: less would be a busy loop.
pub const POLL_MIN: Duration = Duration::from_millis(5);

/// Longest pause between two rounds: the reconcilers run every ten minutes, to within a tenth.
pub const POLL_MAX: Duration = Duration::from_secs(60);

/// Longest pause between two batches.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Pause of a sweep after a batch: three times the batch's time, so that it takes at most a quarter of a core and
/// workers on two cores keep four fifths of their rate. A sweep is never urgent.
pub fn pause_after(batch: Duration) -> Duration {
    batch.saturating_mul(3).min(PAUSE_MAX)
}

/// Longest run of one job: the database takes a run that began an hour ago for dead.
pub const RUN_MAX: Duration = Duration::from_secs(50 * 60);

/// Waits that double, between two bounds.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// For connections: 0.2 s at first, because a failover may be short; at most 10 s, so that people do not
    /// notice.
    pub const fn of_connections() -> Backoff {
        Backoff::new(Duration::from_millis(200), Duration::from_secs(10))
    }

    /// For a job that failed: each attempt leaves a row, and most causes need a person. From 30 s to 10 min.
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
    fn a_sweep_rests_three_times_as_long_as_it_works_and_no_longer_than_two_seconds() {
        assert_eq!(pause_after(Duration::from_millis(30)), Duration::from_millis(90));
        assert_eq!(pause_after(Duration::from_secs(60)), PAUSE_MAX);
    }

    #[test]
    fn chance_is_between_nought_and_one() {
        assert!((0..1000).map(|_| chance()).all(|c| (0.0..1.0).contains(&c)));
    }
}
