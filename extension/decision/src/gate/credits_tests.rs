//! Known credits at the gate: when they let an InMail pass, and what the row is afterwards.

use super::*;
use crate::account::fixture::account;
use crate::clock::{DAY, HOUR, MINUTE};
use crate::credits::journal::{self, Fate, Sending};
use crate::credits::stamp::Cause;
use crate::credits::{Allowance, Credits, Unanswered};
use crate::failures::Limits;
use crate::names::{OperationState, Outcome};
use crate::settle::{BreakerChange, Delivery, Failure, Operation, deliver, fail, fail_among};
use crate::window::Utc;

const TIER: TierCap =
    TierCap { daily: 50, weekly: None, ramp_start_percent: 20, ramp_step_percent: 20, minimum_gap: 0 };

const PREMIUM: Allowance = Allowance { monthly: Some(5), ceiling: Some(15) };

fn noon() -> Instant {
    Day::from_civil(2026, 5, 24).start().plus(12 * HOUR)
}

fn knows(left: i32) -> Account {
    let told = noon().plus(-HOUR);
    let credits = Credits { left, base: left, since: told, observed_at: told, spent_at: None };
    Account { credits: Some(credits), ..account() }
}

fn request(now: Instant, first_expiry: Option<Instant>) -> Request<'static> {
    Request {
        account_id: "account",
        action: Action::Inmail,
        now,
        operation: [7; 16],
        paused: false,
        evidence: false,
        first_expiry,
        prospect: Some(ProspectHistory::default()),
        suppressed: None,
        campaign: None,
        tier: TIER,
        limits: Limits::default(),
        prospect_cooldown: DAY,
        operation_ttl: 15 * MINUTE,
        zone: &Utc,
    }
}

fn granted(account: &Account, now: Instant) -> Grant {
    match decide(account, &request(now, None)) {
        Verdict::Grant(grant) => *grant,
        other => panic!("expected a grant: {other:?}"),
    }
}

fn operation(grant: &Grant, at: Instant) -> Operation {
    Operation {
        id: [7; 16],
        action: Action::Inmail,
        state: OperationState::Reserved,
        counted_on: at.day(),
        reserved_at: at,
        expires_at: grant.expires_at,
        outcome: None,
        is_attempt: true,
        listed: false,
        settled_at: None,
        beyond_credits: grant.beyond_credits,
    }
}

fn failed(outcome: Outcome) -> Failure {
    Failure { outcome, ..Failure::NOT_SENT }
}

fn left(account: &Account) -> Option<i32> {
    account.credits.map(|credits| credits.left)
}

#[test]
fn as_many_grants_as_credits_and_then_the_breaker_before_any_call() {
    let mut a = knows(2);
    for taken in 1..=2 {
        let grant = granted(&a, noon());
        assert!(!grant.beyond_credits);
        a = grant.account;
        assert_eq!(left(&a), Some(2 - taken));
    }
    // Two are in flight: one of them may come back.
    let expiry = noon().plus(15 * MINUTE);
    let Verdict::Refuse(refusal) = decide(&a, &request(noon(), Some(expiry))) else { panic!("a slot") };
    assert_eq!((refusal.reason, refusal.retry_at), (Reason::CreditsExhausted, Some(expiry)));
    assert_eq!(decide(&a, &request(noon(), None)), Verdict::ArmBreaker);
    let invite = Request { action: Action::Invite, ..request(noon(), None) };
    assert!(matches!(decide(&a, &invite), Verdict::Grant(_)), "only InMails need credits");
    let paused = Request { paused: true, ..request(noon(), None) };
    assert!(matches!(decide(&a, &paused), Verdict::Refuse(_)), "nothing is written while all is paused");
}

#[test]
fn our_own_stamp_goes_with_its_reason() {
    let mut a = knows(0);
    a.breaker.arm_for(Cause::Spent, 1, noon(), noon());
    assert!(matches!(decide(&a, &request(noon(), None)), Verdict::Refuse(_)));
    let told = Account { credits: knows(1).credits, ..a.clone() };
    let clear = Verdict::ClearBreaker(ClearReason::BalanceEvidence);
    assert_eq!(decide(&told, &request(noon(), None)), clear);
    assert_eq!(decide(&Account { credits: None, ..a.clone() }, &request(noon(), None)), clear, "not counted");
    // The provider's own stamp stays.
    let mut refused = told;
    refused.breaker.cause = Cause::Provider { above: 9 };
    assert!(matches!(decide(&refused, &request(noon(), None)), Verdict::Refuse(_)));
}

#[test]
fn a_period_begins_before_anything_is_decided() {
    let june = Day::from_civil(2026, 6, 1).start().plus(HOUR);
    let mut a = knows(2);
    assert_eq!(decide(&a, &request(june, None)), Verdict::NeedsPeriod);
    let start = a.credits_due(june).unwrap();
    a.begin_credit_period(start, Unanswered { all: 1, refused: 0 }, PREMIUM);
    assert_eq!(
        (left(&a), a.credits_due(june)),
        (Some(7), None),
        "2 + 1 in flight + 5, less the one in flight"
    );
    assert_eq!(left(&granted(&a, june).account), Some(6));
}

#[test]
fn what_comes_back_gives_its_credit_back_and_wakes_the_account() {
    let grant = granted(&knows(1), noon());
    let (mut a, op) = (grant.account.clone(), operation(&grant, noon()));
    let then = noon().plus(MINUTE);
    a.breaker.arm_for(Cause::Spent, 1, then, then);
    let settled = fail(&a, &op, &failed(Outcome::Rejected), &Limits::default(), then);
    assert_eq!(left(&settled.account), Some(1));
    assert_eq!(settled.breaker, [BreakerChange::Clear(ClearReason::BalanceEvidence)]);
    let unknown = fail(&a, &op, &failed(Outcome::Indeterminate), &Limits::default(), then);
    assert_eq!(left(&unknown.account), Some(0), "what may have been sent is spent");
    // Given back, and delivered all the same.
    let released = Operation {
        state: OperationState::Released,
        outcome: Some(Outcome::Rejected),
        settled_at: Some(then),
        ..op
    };
    let delivery = Delivery { proven: true, occurred_at: then, by_operator: false };
    assert_eq!(left(&deliver(&settled.account, &released, delivery, then).account), Some(0));
}

#[test]
fn the_provider_finds_none() {
    let grant = granted(&knows(9), noon());
    let (a, op) = (&grant.account, operation(&grant, noon()));
    let then = noon().plus(MINUTE);
    let settled = fail_among(a, &op, &failed(Outcome::CreditsExhausted), &Limits::default(), 3, then).account;
    assert_eq!((left(&settled), settled.breaker.exhausted_at), (Some(0), Some(then)));
    assert_eq!(settled.breaker.cause, Cause::Provider { above: 8 + 3 + 1 });
    // A balance that was told after the operation was reserved is newer than its error.
    let told = Credits { observed_at: then, since: then, ..knows(4).credits.unwrap() };
    let told = Account { credits: Some(told), ..a.clone() };
    let late = fail(&told, &op, &failed(Outcome::CreditsExhausted), &Limits::default(), then.plus(1)).account;
    assert_eq!((left(&late), late.breaker.exhausted_at), (Some(5), None));
    // Our own stamp becomes the provider's, which weighs more.
    let mut spent = a.clone();
    spent.breaker.arm_for(Cause::Spent, 1, then, then);
    let known = fail(&spent, &op, &failed(Outcome::CreditsExhausted), &Limits::default(), then.plus(1));
    assert_eq!(known.account.breaker.cause, Cause::Provider { above: 9 });
    assert_eq!(known.breaker, [], "the first stamp of a period wins");
}

#[test]
fn a_delivery_that_should_not_have_been_ends_the_counting() {
    let mut a = knows(0);
    a.breaker.mode = BreakerMode::Closed;
    let grant = granted(&a, noon());
    assert!(grant.beyond_credits);
    let delivery = Delivery { proven: true, occurred_at: noon().plus(1), by_operator: false };
    let delivered = deliver(&grant.account, &operation(&grant, noon()), delivery, noon().plus(1));
    assert_eq!(left(&delivered.account), None);
}

/// As the journal counts it: an operation that is reserved at or before the refusal holds nothing, and gives nothing back.
#[test]
fn a_grant_in_the_microsecond_of_the_refusal_holds_no_credit() {
    let mut a = knows(0);
    a.breaker.mode = BreakerMode::Closed;
    let refused = Credits { spent_at: Some(noon()), ..a.credits.unwrap() };
    a.credits = Some(refused);
    for (after, expected) in [(0, 0), (1, -1)] {
        let at = noon().plus(after);
        let grant = granted(&a, at);
        let sending = Sending {
            reserved_at: at,
            expires_at: grant.expires_at,
            settled_at: None,
            fate: Fate::Unanswered,
        };
        assert_eq!(left(&grant.account), Some(expected));
        assert_eq!(journal::left(&refused, &[sending], at), expected, "by the journal");
        let back = fail(
            &grant.account,
            &operation(&grant, at),
            &failed(Outcome::Released),
            &Limits::default(),
            at.plus(1),
        );
        assert_eq!(left(&back.account), Some(0));
    }
}
