//! Which rule gives the reason when several hold, and which of them an observing account only counts.

use super::*;

type Step = (fn(&mut Account, &mut Request<'static>), Blocked);

/// Each rule, from the last of the order to the first; what holds goes on holding.
fn rules_backwards() -> Vec<Step> {
    let tomorrow = Day::from_civil(2026, 5, 25).start();
    let soon = Some(noon().plus(1));
    vec![
        (
            |_, r| r.campaign = Some(CampaignLimit { limit: 1, taken: 1 }),
            (Reason::CampaignLimitReached, Some(tomorrow)),
        ),
        (|a, _| a.attempts_today[0] = 4, (Reason::DailyAttemptsReached, Some(tomorrow))),
        (|a, _| a.sent_today[0] = 2, (Reason::DailyCapReached, Some(tomorrow))),
        (|a, _| a.sent_before.as_mut().unwrap()[0][5] = 3, (Reason::WeeklyCapReached, Some(tomorrow))),
        (
            |a, r| {
                r.tier.minimum_gap = HOUR;
                a.last_granted_at[0] = Some(noon().plus(1 - HOUR));
            },
            (Reason::Pacing, soon),
        ),
        (
            |_, r| {
                let last_kept_at = Some(noon().plus(1 - DAY));
                r.prospect = Some(ProspectHistory { unresolved: false, last_kept_at });
            },
            (Reason::ProspectCooldown, soon),
        ),
        (|_, r| r.prospect.as_mut().unwrap().unresolved = true, (Reason::OperationInFlight, None)),
        (
            |_, r| r.suppressed = Some(Suppression { until: Some(noon().plus(1)) }),
            (Reason::ProspectSuppressed, soon),
        ),
        (|a, _| a.window = Window::new(0, HOUR, 1).ok(), (Reason::OutsideSendingWindow, Some(tomorrow))),
        (|a, _| a.action_cooldown_until[0] = Some(noon().plus(1)), (Reason::ActionCooldown, soon)),
        (
            |a, _| {
                let failing = Failing { since: noon().plus(-DAY), until: noon().plus(2) };
                a.failures[0].failing = Some(failing);
            },
            (Reason::ActionCooldown, Some(noon().plus(2))),
        ),
        (|a, _| a.cooldown_until = Some(noon().plus(1)), (Reason::AccountCooldown, soon)),
        (
            |a, _| a.breaker.exhausted_at = Some(noon()),
            (Reason::CreditsExhausted, Some(Day::from_civil(2026, 6, 1).start())),
        ),
        (|a, _| a.breaker.mode = BreakerMode::Open, (Reason::BreakerForcedOpen, None)),
        (|a, _| a.status = Status::Restricted, (Reason::AccountNotConnected, None)),
        (|_, r| r.paused = true, (Reason::PausedByOperator, None)),
    ]
}

#[test]
fn the_first_rule_in_order_gives_the_reason() {
    let mut a = account();
    let mut r = request(Action::Inmail, noon());
    for (apply, expected) in rules_backwards() {
        apply(&mut a, &mut r);
        assert_eq!(refused(&a, &r), expected);
    }
}

#[test]
fn observing_grants_what_an_observed_rule_refuses() {
    for (nth, (_, expected)) in rules_backwards().into_iter().enumerate() {
        let (mut a, mut r) = (account(), request(Action::Inmail, noon()));
        // Its own change, on what a rule before it may need.
        for (other, (apply, _)) in rules_backwards().into_iter().enumerate() {
            if other == nth || (expected.0 == Reason::OperationInFlight && other + 1 == nth) {
                apply(&mut a, &mut r);
            }
        }
        match decide_as(Enforcement::Observe, &a, &r) {
            Verdict::Grant(grant) => {
                assert!(expected.0.is_observed(), "{expected:?}");
                assert_eq!(grant.observed.map(|blocked| blocked.0), Some(expected.0));
            }
            Verdict::Refuse(refusal) => {
                assert!(!expected.0.is_observed(), "{expected:?}");
                assert_eq!(refusal.reason, expected.0);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn what_is_not_observed_refuses_whatever_stands_before_it() {
    let (mut a, mut r) = (account(), request(Action::Inmail, noon()));
    a.cooldown_until = Some(noon().plus(1));
    let Verdict::Grant(grant) = decide_as(Enforcement::Observe, &a, &r) else { panic!("is only observed") };
    assert_eq!(grant.observed, Some((Reason::AccountCooldown, Some(noon().plus(1)))));
    r.prospect = Some(ProspectHistory { unresolved: true, last_kept_at: None });
    let verdict = decide_as(Enforcement::Observe, &a, &r);
    assert!(matches!(verdict, Verdict::Refuse(refusal) if refusal.reason == Reason::OperationInFlight));
    assert_eq!(granted(&account(), &request(Action::Inmail, noon())).observed, None);
}
