//! Failures in a row: an action that fails again and again stops, and then one attempt at a time finds
//! out whether the provider answers again.
//!
//! ```text
//! counting ── count reaches the limit ──▶ failing until `until` ──▶ one attempt at a time
//!    ▲                                        ▲                          │ fails: longer
//!    └────────────────────────────────────────┴──────────────────────────┘ the provider answers
//! ```

use crate::clock::{DAY, HOUR, Instant};
use crate::names::Outcome;

/// The longest that an action stays silent after one more failure.
pub const FAILING_MAX: i64 = DAY;

/// The settings about attempts and failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// So many failures in a row stop an action; 0 = no failure counts and none refuses.
    pub failure_limit: i32,
    /// For how long at first, in microseconds, at most 24 hours.
    pub failure_cooldown: i64,
    /// Attempts a day, in percent of the day's effective cap; 0 = any number.
    pub attempt_percent: i32,
}

impl Default for Limits {
    /// As shipped.
    fn default() -> Limits {
        Limits { failure_limit: 10, failure_cooldown: HOUR, attempt_percent: 200 }
    }
}

impl Limits {
    /// How many attempts a day this effective daily cap allows; none = any number.
    pub fn attempts(&self, daily_cap: i32) -> Option<i32> {
        let attempts = (i64::from(daily_cap) * i64::from(self.attempt_percent) + 99) / 100;
        (self.attempt_percent > 0).then(|| i32::try_from(attempts).unwrap_or(i32::MAX))
    }

    /// For how long an action of this level stays silent.
    fn length(&self, level: u8) -> i64 {
        let doubled = self.failure_cooldown.saturating_mul(1 << level.min(40));
        doubled.min(FAILING_MAX)
    }
}

/// An action's failures in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failures {
    /// Failures since the last delivery.
    pub count: i32,
    /// How often the silence was doubled.
    pub level: u8,
    /// Since and until when the action is silent; none = not failing.
    pub failing: Option<Failing>,
}

/// An action that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failing {
    /// When the failures reached the limit. Answers about operations that were reserved then or before are not
    /// counted again.
    pub since: Instant,
    /// Until when nothing passes: the end of the silence, or the `expires_at` of the one attempt.
    pub until: Instant,
}

/// An attempt whose end is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When its slot was taken.
    pub reserved_at: Instant,
    /// Until when it is in flight.
    pub expires_at: Instant,
    /// Whether it was counted before: it left `reserved`, or was listed as expired.
    pub counted: bool,
}

/// What an attempt's end makes of the failures, as far as a log is to tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The failures reached the limit.
    Began,
    /// The silence is longer, or shorter.
    Moved,
    /// The provider answers again.
    Ended,
}

impl Failures {
    /// Until when no attempt passes, by these settings.
    pub fn silent_until(&self, limits: &Limits) -> Option<Instant> {
        self.failing.filter(|_| limits.failure_limit > 0).map(|failing| failing.until)
    }

    /// A grant at `now`: where the silence is over it is the one attempt that passes.
    pub fn grant(&mut self, limits: &Limits, expires_at: Instant, now: Instant) {
        if let Some(failing) = &mut self.failing
            && limits.failure_limit > 0
            && failing.until <= now
        {
            failing.until = expires_at;
        }
    }

    /// A delivery, also a late one and one that was counted before.
    pub fn deliver(&mut self, attempt: &Attempt) -> Option<Change> {
        match self.failing {
            Some(failing) if attempt.reserved_at <= failing.since => None,
            failing => {
                *self = Failures::default();
                failing.map(|_| Change::Ended)
            }
        }
    }

    /// An attempt that failed with this outcome, at `now`.
    pub fn fail(
        &mut self,
        limits: &Limits,
        attempt: &Attempt,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Change> {
        if attempt.counted || limits.failure_limit <= 0 {
            return None;
        }
        match self.failing {
            Some(failing) if attempt.reserved_at <= failing.since => None,
            Some(failing) => self.fail_alone(failing, limits, attempt, outcome, now),
            None if is_failure(outcome) => self.count_one(limits, now),
            None => None,
        }
    }

    /// An attempt that layer 1 lists as expired.
    pub fn expire(&mut self, limits: &Limits, attempt: &Attempt, now: Instant) -> Option<Change> {
        // Nothing is known of it, as of one that ended without a clear answer.
        self.fail(limits, attempt, Outcome::Indeterminate, now)
    }

    fn count_one(&mut self, limits: &Limits, now: Instant) -> Option<Change> {
        self.count = self.count.saturating_add(1);
        if self.count < limits.failure_limit {
            return None;
        }
        self.level = 0;
        self.failing = Some(Failing { since: now, until: now.plus(limits.length(0)) });
        Some(Change::Began)
    }

    /// The outcome of an attempt that passed while the action was failing.
    fn fail_alone(
        &mut self,
        failing: Failing,
        limits: &Limits,
        attempt: &Attempt,
        outcome: Outcome,
        now: Instant,
    ) -> Option<Change> {
        let until = match outcome {
            // About the recipient: the provider answers.
            Outcome::RecipientRefused | Outcome::RecipientLater => {
                *self = Failures::default();
                return Some(Change::Ended);
            }
            // The next one may pass at once.
            Outcome::Released => failing.until.min(now),
            Outcome::Transient => now.plus(limits.length(self.level)),
            _ if is_failure(outcome) => {
                if limits.length(self.level) < FAILING_MAX {
                    self.level += 1;
                }
                now.plus(limits.length(self.level))
            }
            _ => return None,
        };
        // Another attempt may be under way, and its time is not to be cut short.
        let is_the_one = attempt.expires_at == failing.until;
        let until = if is_the_one { until } else { until.max(failing.until) };
        self.failing = Some(Failing { until, ..failing });
        (until != failing.until).then_some(Change::Moved)
    }
}

/// Whether an outcome is a failure that counts.
fn is_failure(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::RecipientRefused
            | Outcome::RecipientLater
            | Outcome::Rejected
            | Outcome::Transient
            | Outcome::Indeterminate
            | Outcome::ActionUnavailable
    )
}

/// Whether so many accounts fail together that it is the provider: at least `outage_accounts` of them,
/// and a third of these and of those with a grant in the last hour together (`active` counts both).
pub fn is_outage(failing: i64, active: i64, outage_accounts: i32) -> bool {
    failing >= i64::from(outage_accounts.max(1)) && failing.saturating_mul(3) >= active
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::MINUTE;

    const LIMITS: Limits = Limits { failure_limit: 3, failure_cooldown: HOUR, attempt_percent: 200 };
    const TTL: i64 = 15 * MINUTE;

    fn at(minutes: i64) -> Instant {
        Instant(minutes * MINUTE)
    }

    fn attempt(minutes: i64) -> Attempt {
        Attempt { reserved_at: at(minutes), expires_at: at(minutes).plus(TTL), counted: false }
    }

    /// Failing since minute 2, silent until minute 62.
    fn failing() -> Failures {
        let mut failures = Failures::default();
        for minute in 0..3 {
            failures.fail(&LIMITS, &attempt(minute), Outcome::Rejected, at(minute));
        }
        failures
    }

    /// The same with the one attempt of minute 70 under way.
    fn half_open() -> Failures {
        let mut failures = failing();
        failures.grant(&LIMITS, attempt(70).expires_at, at(70));
        failures
    }

    fn until(failures: &Failures) -> Instant {
        failures.silent_until(&LIMITS).expect("failing")
    }

    #[test]
    fn the_limit_is_reached_by_failures_in_a_row() {
        let mut failures = Failures::default();
        for minute in 0..2 {
            assert_eq!(failures.fail(&LIMITS, &attempt(minute), Outcome::Transient, at(minute)), None);
        }
        assert_eq!(failures.deliver(&attempt(2)), None);
        assert_eq!(failures, Failures::default(), "a delivery begins anew");
        assert_eq!((until(&failing()), failing().count), (at(62), 3));
        let counted = Attempt { counted: true, ..attempt(3) };
        assert_eq!(failures.fail(&LIMITS, &counted, Outcome::Rejected, at(3)), None);
        assert_eq!(failures.count, 0, "an attempt counts once");
    }

    #[test]
    fn what_was_in_flight_together_counts_once() {
        let mut failures = failing();
        for outcome in Outcome::ALL {
            assert_eq!(failures.fail(&LIMITS, &attempt(2), *outcome, at(30)), None);
        }
        assert_eq!((failures.deliver(&attempt(1)), failures), (None, failing()));
    }

    #[test]
    fn each_outcome_of_the_one_attempt() {
        for &outcome in Outcome::ALL {
            let mut failures = half_open();
            let change = failures.fail(&LIMITS, &attempt(70), outcome, at(75));
            match outcome {
                Outcome::RecipientRefused | Outcome::RecipientLater => {
                    assert_eq!((failures, change), (Failures::default(), Some(Change::Ended)));
                }
                Outcome::Transient => assert_eq!((until(&failures), failures.level), (at(135), 0)),
                Outcome::Released => assert_eq!((until(&failures), failures.level), (at(75), 0)),
                Outcome::Rejected | Outcome::Indeterminate | Outcome::ActionUnavailable => {
                    assert_eq!((until(&failures), failures.level), (at(195), 1));
                }
                _ => assert_eq!(failures, half_open(), "{outcome:?}"),
            }
        }
        let mut failures = half_open();
        assert_eq!(failures.deliver(&attempt(70)), Some(Change::Ended));
    }

    #[test]
    fn an_attempt_that_is_not_the_one_makes_nothing_earlier() {
        for outcome in [Outcome::Released, Outcome::Transient, Outcome::Rejected] {
            let limits = Limits { failure_cooldown: MINUTE, ..LIMITS };
            let mut failures = half_open();
            failures.fail(&limits, &attempt(40), outcome, at(71));
            assert_eq!(until(&failures), at(85), "{outcome:?}");
        }
    }

    #[test]
    fn the_silence_doubles_up_to_a_day() {
        let (mut failures, mut hours, mut now) = (failing(), Vec::new(), at(100));
        for _ in 0..7 {
            let one = Attempt { reserved_at: now, expires_at: now.plus(TTL), counted: false };
            failures.grant(&LIMITS, one.expires_at, now);
            failures.expire(&LIMITS, &one, one.expires_at);
            hours.push((until(&failures).0 - one.expires_at.0) / HOUR);
            now = until(&failures);
        }
        assert_eq!((hours, failures.level), (vec![2, 4, 8, 16, 24, 24, 24], 5));
    }

    #[test]
    fn a_limit_of_0_counts_and_refuses_nothing() {
        let off = Limits { failure_limit: 0, ..LIMITS };
        let mut failures = failing();
        assert_eq!(failures.silent_until(&off), None);
        failures.grant(&off, at(99), at(90));
        failures.fail(&off, &attempt(70), Outcome::Rejected, at(75));
        assert_eq!(failures, failing());
    }

    #[test]
    fn attempts_are_a_share_of_the_cap_rounded_up() {
        let of = |percent, cap| Limits { attempt_percent: percent, ..LIMITS }.attempts(cap);
        assert_eq!((of(200, 25), of(101, 1), of(150, 3)), (Some(50), Some(2), Some(5)));
        assert_eq!((of(0, 25), of(10_000, i32::MAX)), (None, Some(i32::MAX)));
    }

    #[test]
    fn an_outage_is_many_accounts_and_a_third_of_the_active() {
        assert!(is_outage(5, 15, 5));
        assert!(!is_outage(5, 16, 5) && !is_outage(4, 4, 5));
    }
}
