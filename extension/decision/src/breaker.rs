//! The InMail breaker of one account: stamp, mode, probe lease.

use crate::clock::{HOUR, Instant, credit_period_start, next_credit_period};
use crate::credits::stamp::Cause;
use crate::names::{BreakerMode, OperationId};

/// A proof of success must have occurred within this long before it is looked at.
pub const EVIDENCE_WINDOW: i64 = HOUR;

/// The breaker's part of the account row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// How the breaker is run.
    pub mode: BreakerMode,
    /// When the credits were found exhausted; kept raw until a clear.
    pub exhausted_at: Option<Instant>,
    /// The last clear; an error of an operation reserved before it is stale and does not arm.
    pub cleared_at: Option<Instant>,
    /// The one permit that may pass an open breaker.
    pub probe: Option<Probe>,
    /// Who stamped it; without a stamp, as in [`Breaker::default`].
    pub cause: Cause,
}

/// A leased permit for a single InMail through an open breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When the permit lapses, used or not.
    pub lease_until: Instant,
    /// The operation that took it.
    pub taken_by: Option<OperationId>,
}

impl Default for Breaker {
    fn default() -> Breaker {
        Breaker {
            mode: BreakerMode::Auto,
            exhausted_at: None,
            cleared_at: None,
            probe: None,
            cause: Cause::UNCOUNTED,
        }
    }
}

/// What the breaker says to an InMail at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// InMails may pass.
    Closed,
    /// The stamp is of an earlier credit period: to be cleared, then InMails may pass.
    Lapsed,
    /// No credits before `retry_at`, the start of the next credit period.
    Open {
        /// Start of the next credit period.
        retry_at: Instant,
    },
    /// Held open by an operator.
    ForcedOpen,
}

/// Why a stamp was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearReason {
    /// A new credit period began.
    MonthlyReset,
    /// An InMail was delivered after the stamp.
    RecentSuccessEvidence,
    /// An operator said so.
    Manual,
    /// The balance that is known says that there are credits.
    BalanceEvidence,
}

impl ClearReason {
    /// The reason as `breaker_log` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            ClearReason::MonthlyReset => "monthly_reset",
            ClearReason::RecentSuccessEvidence => "recent_success_evidence",
            ClearReason::Manual => "manual",
            ClearReason::BalanceEvidence => "balance_evidence",
        }
    }
}

/// What arming changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Whether a stamp of an earlier period was cleared on the way.
    pub cleared_lapsed: bool,
}

impl Breaker {
    /// What the breaker says at `now`, evidence aside.
    pub fn read(&self, reset_day: u8, now: Instant) -> Reading {
        match (self.mode, self.exhausted_at) {
            (BreakerMode::Open, _) => Reading::ForcedOpen,
            (BreakerMode::Closed, _) | (BreakerMode::Auto, None) => Reading::Closed,
            (BreakerMode::Auto, Some(stamp)) if stamp < credit_period_start(reset_day, now) => {
                Reading::Lapsed
            }
            // A stamp that lies ahead of the clock holds to the end of its own period.
            (BreakerMode::Auto, Some(stamp)) => {
                Reading::Open { retry_at: next_credit_period(reset_day, now.max(stamp)) }
            }
        }
    }

    /// Stamps the breaker for a credits error of an operation reserved at `reserved_at`, or says
    /// why not by `None`: the error is stale (reserved before the last clear), or a stamp of the
    /// same period is there already. An error of an earlier period stamps its own time, so that a
    /// late error on the 1st does not block the new month.
    pub fn arm(&mut self, reset_day: u8, reserved_at: Instant, now: Instant) -> Option<Armed> {
        self.arm_for(Cause::UNCOUNTED, reset_day, reserved_at, now)
    }

    /// The same, and notes who stamps it.
    pub fn arm_for(
        &mut self,
        cause: Cause,
        reset_day: u8,
        reserved_at: Instant,
        now: Instant,
    ) -> Option<Armed> {
        if self.is_stale(reserved_at, now) {
            return None;
        }
        let period = credit_period_start(reset_day, now);
        let stamp = if reserved_at < period { reserved_at } else { now };
        let cleared_lapsed = match self.exhausted_at {
            Some(old) if old >= credit_period_start(reset_day, stamp) => return None,
            old => old.is_some(),
        };
        if cleared_lapsed {
            self.clear(now);
        }
        (self.exhausted_at, self.cause) = (Some(stamp), cause);
        Some(Armed { cleared_lapsed })
    }

    /// Whether an error of an operation reserved at `reserved_at` says nothing any more, because the breaker
    /// was cleared since. A clear that lies ahead was written while the clock ran ahead, and proves nothing.
    pub fn is_stale(&self, reserved_at: Instant, now: Instant) -> bool {
        self.cleared_at.is_some_and(|cleared| reserved_at < cleared && cleared <= now)
    }

    /// Removes the stamp and any permit; `false` when there was no stamp.
    pub fn clear(&mut self, now: Instant) -> bool {
        let was_armed = self.exhausted_at.take().is_some();
        if was_armed {
            self.cleared_at = Some(now);
            self.probe = None;
            self.cause = Cause::UNCOUNTED;
        }
        was_armed
    }

    /// Whether a delivery is a proof that there are credits again: it occurred and is recorded
    /// after the stamp, within the last hour, by an operation reserved after the stamp.
    pub fn is_evidence(&self, reserved_at: Instant, occurred_at: Instant, recorded_at: Instant) -> bool {
        self.exhausted_at.is_some_and(|stamp| {
            reserved_at > stamp
                && occurred_at > stamp
                && recorded_at > stamp
                && occurred_at >= recorded_at.plus(-EVIDENCE_WINDOW)
        })
    }

    /// Whether a permit lies ready at `now`.
    pub fn has_permit(&self, now: Instant) -> bool {
        self.probe.as_ref().is_some_and(|p| p.taken_by.is_none() && p.lease_until > now)
    }

    /// The permit that is leased at `now`, taken or not.
    pub fn leased(&self, now: Instant) -> Option<&Probe> {
        self.probe.as_ref().filter(|p| p.lease_until > now)
    }

    /// Whether this operation took the permit, be the lease over or not.
    pub fn is_probe(&self, operation: &OperationId) -> bool {
        self.probe.as_ref().is_some_and(|p| p.taken_by.as_ref() == Some(operation))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{DAY, Day, MINUTE};

    fn may(day: u8, hour: i64) -> Instant {
        Day::from_civil(2026, 5, day).start().plus(hour * HOUR)
    }

    #[test]
    fn the_story_of_the_seeds() {
        let mut b = Breaker::default();
        assert_eq!(b.read(1, may(24, 9)), Reading::Closed);
        assert!(b.arm(1, may(24, 9), may(24, 9)).is_some());
        let june = Day::from_civil(2026, 6, 1).start();
        assert_eq!(b.read(1, may(31, 23)), Reading::Open { retry_at: june });
        assert_eq!(b.read(1, june), Reading::Lapsed);
    }

    #[test]
    fn the_first_stamp_of_a_period_wins() {
        let mut b = Breaker::default();
        b.arm(1, may(24, 9), may(24, 9));
        assert_eq!(b.arm(1, may(25, 9), may(25, 9)), None);
        assert_eq!(b.exhausted_at, Some(may(24, 9)));
        let june = Day::from_civil(2026, 6, 2).start();
        assert_eq!(b.arm(1, june, june), Some(Armed { cleared_lapsed: true }));
        assert_eq!(b.exhausted_at, Some(june));
    }

    #[test]
    fn a_late_error_stamps_its_own_period() {
        let mut b = Breaker::default();
        let june = Day::from_civil(2026, 6, 1).start();
        let reserved = june.plus(-MINUTE);
        b.arm(1, reserved, june.plus(MINUTE));
        assert_eq!(b.exhausted_at, Some(reserved));
        assert_eq!(b.read(1, june.plus(MINUTE)), Reading::Lapsed);
        // And it never replaces a stamp of the new period.
        let mut b = Breaker { exhausted_at: Some(june.plus(5)), ..Breaker::default() };
        assert_eq!(b.arm(1, reserved, june.plus(MINUTE)), None);
    }

    #[test]
    fn a_stale_error_does_not_arm() {
        let mut b = Breaker::default();
        b.arm(1, may(3, 0), may(3, 0));
        assert!(b.clear(may(4, 0)));
        assert!(!b.clear(may(4, 0)));
        assert_eq!(b.arm(1, may(3, 23), may(4, 1)), None);
        assert!(b.arm(1, may(4, 1), may(4, 1)).is_some());
    }

    #[test]
    fn a_clear_from_a_clock_that_ran_ahead_disarms_nothing() {
        let mut b = Breaker { cleared_at: Some(may(30, 0)), ..Breaker::default() };
        assert!(b.arm(1, may(4, 1), may(4, 1)).is_some());
    }

    #[test]
    fn a_new_period_takes_the_old_permit_with_the_old_stamp() {
        let june = Day::from_civil(2026, 6, 1).start();
        let probe = Some(Probe { lease_until: june.plus(HOUR), taken_by: None });
        let mut b = Breaker { exhausted_at: Some(may(24, 9)), probe, ..Breaker::default() };
        b.arm(1, june, june);
        assert_eq!((b.probe.clone(), b.cleared_at), (None, Some(june)));
        assert_eq!(b.exhausted_at, Some(june));
    }

    #[test]
    fn modes_override_the_stamp() {
        let mut b = Breaker { exhausted_at: Some(may(3, 0)), ..Breaker::default() };
        b.mode = BreakerMode::Closed;
        assert_eq!(b.read(1, may(3, 1)), Reading::Closed);
        b.mode = BreakerMode::Open;
        assert_eq!(b.read(1, may(3, 1).plus(400 * DAY)), Reading::ForcedOpen);
    }

    #[test]
    fn evidence_is_new_recent_and_not_a_late_delivery() {
        let b = Breaker { exhausted_at: Some(may(3, 0)), ..Breaker::default() };
        let t = may(3, 2);
        assert!(b.is_evidence(may(3, 1), t, t));
        assert!(!b.is_evidence(may(3, 0), t, t), "reserved at the stamp");
        assert!(!b.is_evidence(may(3, 1), may(3, 0), t), "occurred at the stamp");
        assert!(!b.is_evidence(may(3, 1), t, t.plus(HOUR + 1)), "older than an hour");
        assert!(!Breaker::default().is_evidence(t, t, t), "no stamp, nothing to prove");
    }
}
