//! What an outcome does to the enrollment that was sent for.
//!
//! | outcome | enrollment |
//! | --- | --- |
//! | delivered | `done` |
//! | `recipient_refused` | `done`, with a `linkedin_skipped` event |
//! | `transient`, `rate_limited`, `released` | `waiting` with back-off, `parked` after 5 attempts |
//! | `credits_exhausted` | `waiting` until the next credit period if the breaker is open, else back-off |
//! | `account_restricted`, `auth_lost` | `waiting`, due at once: the account's status holds it |
//! | `indeterminate` | `parked` until resolved |

use crate::account::Account;
use crate::breaker::Reading;
use crate::clock::Instant;
use crate::names::{Action, EnrollmentState, Outcome, Reason};

/// After so many attempts an enrollment is parked: what failed five times in a row, over more than
/// an hour, wants a person to look at it.
pub const ATTEMPTS_MAX: i32 = 5;

/// The reason of the `linkedin_skipped` event for an InMail that the recipient's side refused.
pub const INMAIL_ELIGIBILITY: &str = "inmail_eligibility";

/// What becomes of an enrollment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Next {
    /// Its state from now on.
    pub state: EnrollmentState,
    /// When it is due; none where it does not wait.
    pub next_dispatch_at: Option<Instant>,
    /// Why it is in this state, as the enrollment shows it; none when it was delivered.
    pub reason: Option<&'static str>,
    /// The reason of a `linkedin_skipped` campaign event that goes with it.
    pub skipped: Option<&'static str>,
}

impl Next {
    /// Delivered: nothing is left to do.
    pub const DELIVERED: Next =
        Next { state: EnrollmentState::Done, next_dispatch_at: None, reason: None, skipped: None };

    fn waiting(at: Instant, reason: &'static str) -> Next {
        Next {
            state: EnrollmentState::Waiting,
            next_dispatch_at: Some(at),
            reason: Some(reason),
            skipped: None,
        }
    }

    fn parked(reason: &'static str) -> Next {
        Next { state: EnrollmentState::Parked, next_dispatch_at: None, reason: Some(reason), skipped: None }
    }
}

/// What a failed attempt makes of its enrollment. `account` is the row after the outcome,
/// `attempts` counts the one that failed, `backoff` is the first wait in microseconds.
pub fn after_failure(
    action: Action,
    outcome: Outcome,
    account: &Account,
    attempts: i32,
    backoff: i64,
    now: Instant,
) -> Next {
    match outcome {
        Outcome::RecipientRefused => {
            let skipped = if action == Action::Inmail { INMAIL_ELIGIBILITY } else { outcome.name() };
            Next {
                state: EnrollmentState::Done,
                next_dispatch_at: None,
                reason: Some(skipped),
                skipped: Some(skipped),
            }
        }
        Outcome::CreditsExhausted => match account.breaker.read(account.credit_reset_day, now) {
            Reading::Open { retry_at } => Next::waiting(retry_at, Reason::CreditsExhausted.name()),
            _ => back_off(outcome, attempts, backoff, now),
        },
        Outcome::Transient | Outcome::RateLimited | Outcome::Released => {
            back_off(outcome, attempts, backoff, now)
        }
        Outcome::AccountRestricted | Outcome::AuthLost => Next::waiting(now, outcome.name()),
        Outcome::Indeterminate => Next::parked(outcome.name()),
    }
}

/// The first wait, doubled with each attempt; parked after the last.
fn back_off(outcome: Outcome, attempts: i32, backoff: i64, now: Instant) -> Next {
    if attempts >= ATTEMPTS_MAX {
        return Next::parked(outcome.name());
    }
    let doublings = attempts.clamp(1, ATTEMPTS_MAX) - 1;
    Next::waiting(now.plus(backoff.saturating_mul(1 << doublings)), outcome.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::account;
    use crate::clock::{Day, HOUR, MINUTE};
    use crate::names::BreakerMode;

    fn noon() -> Instant {
        Day::from_civil(2026, 5, 24).start().plus(12 * HOUR)
    }

    fn after(outcome: Outcome, attempts: i32) -> Next {
        after_failure(Action::Inmail, outcome, &account(), attempts, 5 * MINUTE, noon())
    }

    #[test]
    fn each_outcome_does_what_the_table_says() {
        let refused = after(Outcome::RecipientRefused, 1);
        assert_eq!((refused.state, refused.skipped), (EnrollmentState::Done, Some(INMAIL_ELIGIBILITY)));
        let invite = after_failure(Action::Invite, Outcome::RecipientRefused, &account(), 1, MINUTE, noon());
        assert_eq!((invite.state, invite.skipped), (EnrollmentState::Done, Some("recipient_refused")));
        for outcome in [Outcome::AccountRestricted, Outcome::AuthLost] {
            let next = after(outcome, 9);
            assert_eq!((next.state, next.next_dispatch_at), (EnrollmentState::Waiting, Some(noon())));
        }
        let unknown = after(Outcome::Indeterminate, 1);
        assert_eq!((unknown.state, unknown.next_dispatch_at), (EnrollmentState::Parked, None));
        for outcome in Outcome::ALL {
            assert_eq!(after(*outcome, 1).skipped.is_some(), *outcome == Outcome::RecipientRefused);
        }
    }

    #[test]
    fn back_off_doubles_and_ends_after_five_attempts() {
        for outcome in [Outcome::Transient, Outcome::RateLimited, Outcome::Released] {
            for (attempts, minutes) in [(1, 5), (2, 10), (3, 20), (4, 40)] {
                let next = after(outcome, attempts);
                assert_eq!(next.state, EnrollmentState::Waiting);
                assert_eq!(next.next_dispatch_at, Some(noon().plus(minutes * MINUTE)));
            }
            assert_eq!(after(outcome, 5), Next::parked(outcome.name()));
        }
    }

    #[test]
    fn without_credits_it_waits_for_the_next_period_if_the_breaker_is_open() {
        let mut a = account();
        a.breaker.exhausted_at = Some(noon());
        let after = |a: &Account, attempts| {
            after_failure(Action::Inmail, Outcome::CreditsExhausted, a, attempts, 5 * MINUTE, noon())
        };
        let june = Day::from_civil(2026, 6, 1).start();
        assert_eq!(after(&a, 9), Next::waiting(june, "account_inmail_credits_exhausted"));
        a.breaker.mode = BreakerMode::Closed;
        assert_eq!(after(&a, 1), Next::waiting(noon().plus(5 * MINUTE), "credits_exhausted"));
        assert_eq!(after(&a, 5), Next::parked("credits_exhausted"));
    }
}
