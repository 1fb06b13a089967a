//! What an outcome does to the enrollment that was sent for.
//!
//! | outcome | enrollment |
//! | --- | --- |
//! | delivered | `done` |
//! | `recipient_refused` | `done`, with a `linkedin_skipped` event |
//! | `recipient_later` | `waiting` for its wait; no attempt counted |
//! | `rejected` | `parked`: a person has to look |
//! | `rate_limited`, `action_unavailable` | `waiting`, due at once: the cooldown holds it; no attempt counted |
//! | `transient`, `released`, `not_sent` | `waiting` with back-off, `parked` after 5 attempts; a `transient` while its action is failing counts no attempt |
//! | `credits_exhausted` | `waiting` until the next credit period if the breaker is open, else back-off |
//! | `account_restricted`, `auth_lost` | `waiting`, due at once: the account's status holds it |
//! | `indeterminate` | `parked` until resolved |

use crate::account::Account;
use crate::breaker::Reading;
use crate::clock::Instant;
use crate::names::{Action, EnrollmentState, Outcome, Reason};
use crate::settle::Failure;

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
    /// Whether the attempt is charged to the work. What the account or the provider failed at is not.
    pub charged: bool,
}

impl Next {
    /// Delivered: nothing is left to do.
    pub const DELIVERED: Next = Next {
        state: EnrollmentState::Done,
        next_dispatch_at: None,
        reason: None,
        skipped: None,
        charged: true,
    };

    fn waiting(at: Instant, reason: &'static str) -> Next {
        Next {
            state: EnrollmentState::Waiting,
            next_dispatch_at: Some(at),
            reason: Some(reason),
            skipped: None,
            charged: true,
        }
    }

    fn parked(reason: &'static str) -> Next {
        Next { state: EnrollmentState::Parked, next_dispatch_at: None, ..Next::waiting(Instant::MAX, reason) }
    }

    fn uncharged(self) -> Next {
        Next { charged: false, ..self }
    }
}

/// What a failed attempt makes of its enrollment. `account` is the row after the outcome,
/// `attempts` counts the one that failed, `backoff` is the first wait in microseconds, `failure_limit` the
/// setting.
pub fn after_failure(
    action: Action,
    failure: &Failure,
    account: &Account,
    attempts: i32,
    backoff: i64,
    failure_limit: i32,
    now: Instant,
) -> Next {
    let outcome = failure.outcome;
    match outcome {
        Outcome::RecipientRefused => {
            let skipped = if action == Action::Inmail { INMAIL_ELIGIBILITY } else { outcome.name() };
            Next {
                state: EnrollmentState::Done,
                next_dispatch_at: None,
                reason: Some(skipped),
                skipped: Some(skipped),
                charged: true,
            }
        }
        Outcome::RecipientLater => Next::waiting(now.plus(failure.wait), outcome.name()).uncharged(),
        Outcome::CreditsExhausted => match account.breaker.read(account.credit_reset_day, now) {
            Reading::Open { retry_at } => Next::waiting(retry_at, Reason::CreditsExhausted.name()),
            _ => back_off(outcome, attempts, backoff, now),
        },
        Outcome::Transient if failure_limit > 0 && account.failures[action.index()].failing.is_some() => {
            // The attempts before it, and always one more.
            back_off(outcome, (attempts - 1).clamp(1, ATTEMPTS_MAX - 1), backoff, now).uncharged()
        }
        Outcome::Transient | Outcome::Released | Outcome::NotSent => {
            back_off(outcome, attempts, backoff, now)
        }
        Outcome::RateLimited | Outcome::ActionUnavailable => Next::waiting(now, outcome.name()).uncharged(),
        Outcome::AccountRestricted | Outcome::AuthLost => Next::waiting(now, outcome.name()),
        Outcome::Rejected | Outcome::Indeterminate => Next::parked(outcome.name()),
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
    use crate::failures::Failing;
    use crate::names::{BreakerMode, Scope};

    fn noon() -> Instant {
        Day::from_civil(2026, 5, 24).start().plus(12 * HOUR)
    }

    fn of(action: Action, outcome: Outcome, account: &Account, attempts: i32) -> Next {
        let failure = Failure { outcome, scope: Scope::Action, wait: 7 * MINUTE };
        after_failure(action, &failure, account, attempts, 5 * MINUTE, 10, noon())
    }

    fn after(outcome: Outcome, attempts: i32) -> Next {
        of(Action::Inmail, outcome, &account(), attempts)
    }

    #[test]
    fn each_outcome_does_what_the_table_says() {
        let refused = after(Outcome::RecipientRefused, 1);
        assert_eq!((refused.state, refused.skipped), (EnrollmentState::Done, Some(INMAIL_ELIGIBILITY)));
        let invite = of(Action::Invite, Outcome::RecipientRefused, &account(), 1);
        assert_eq!((invite.state, invite.skipped), (EnrollmentState::Done, Some("recipient_refused")));
        for outcome in [Outcome::AccountRestricted, Outcome::AuthLost] {
            assert_eq!(after(outcome, 9), Next::waiting(noon(), outcome.name()));
        }
        for outcome in [Outcome::RateLimited, Outcome::ActionUnavailable] {
            assert_eq!(after(outcome, 9), Next::waiting(noon(), outcome.name()).uncharged());
        }
        let later = after(Outcome::RecipientLater, 9);
        assert_eq!(later, Next::waiting(noon().plus(7 * MINUTE), "recipient_later").uncharged());
        for outcome in [Outcome::Indeterminate, Outcome::Rejected] {
            let parked = after(outcome, 1);
            assert_eq!((parked.state, parked.next_dispatch_at), (EnrollmentState::Parked, None));
        }
        for outcome in Outcome::ALL {
            assert_eq!(after(*outcome, 1).skipped.is_some(), *outcome == Outcome::RecipientRefused);
        }
    }

    #[test]
    fn back_off_doubles_and_ends_after_five_attempts() {
        for outcome in [Outcome::Transient, Outcome::Released, Outcome::NotSent] {
            for (attempts, minutes) in [(1, 5), (2, 10), (3, 20), (4, 40)] {
                let next = after(outcome, attempts);
                assert_eq!(next.state, EnrollmentState::Waiting);
                assert_eq!(next.next_dispatch_at, Some(noon().plus(minutes * MINUTE)));
            }
            assert_eq!(after(outcome, 5), Next::parked(outcome.name()));
        }
    }

    #[test]
    fn while_its_action_fails_a_transient_failure_is_not_the_works_own() {
        let mut a = account();
        a.failures[1].failing = Some(Failing { since: noon(), until: noon().plus(HOUR) });
        for (attempts, minutes) in [(1, 5), (2, 5), (5, 40), (9, 40)] {
            let next = of(Action::Invite, Outcome::Transient, &a, attempts);
            assert_eq!(next, Next::waiting(noon().plus(minutes * MINUTE), "transient").uncharged());
        }
        assert_eq!(
            of(Action::Message, Outcome::Transient, &a, 5),
            Next::parked("transient"),
            "another action"
        );
        let failure = Failure { outcome: Outcome::Transient, scope: Scope::Account, wait: 0 };
        let off = after_failure(Action::Invite, &failure, &a, 5, MINUTE, 0, noon());
        assert_eq!(off, Next::parked("transient"), "failures do not count");
    }

    #[test]
    fn without_credits_it_waits_for_the_next_period_if_the_breaker_is_open() {
        let mut a = account();
        a.breaker.exhausted_at = Some(noon());
        let after = |a: &Account, attempts| of(Action::Inmail, Outcome::CreditsExhausted, a, attempts);
        let june = Day::from_civil(2026, 6, 1).start();
        assert_eq!(after(&a, 9), Next::waiting(june, "account_inmail_credits_exhausted"));
        a.breaker.mode = BreakerMode::Closed;
        assert_eq!(after(&a, 1), Next::waiting(noon().plus(5 * MINUTE), "credits_exhausted"));
        assert_eq!(after(&a, 5), Next::parked("credits_exhausted"));
    }
}
