//! The gate's rules one by one, then random accounts against the rules stated independently.

use super::*;
use crate::account::CapOverride;
use crate::account::fixture::account;
use crate::breaker::Breaker;
use crate::clock::{DAY, HOUR, MINUTE};
use crate::names::{ACTIONS, BreakerMode};
use crate::window::{Utc, Window};
use proptest::prelude::*;

const TIER: TierCap =
    TierCap { daily: 2, weekly: Some(3), ramp_start_percent: 20, ramp_step_percent: 20, minimum_gap: 0 };

fn noon() -> Instant {
    Day::from_civil(2026, 5, 24).start().plus(12 * HOUR)
}

fn request(action: Action, now: Instant) -> Request<'static> {
    Request {
        action,
        now,
        operation: [7; 16],
        paused: false,
        evidence: false,
        prospect: Some(ProspectHistory::default()),
        tier: TIER,
        prospect_cooldown: DAY,
        operation_ttl: 15 * MINUTE,
        zone: &Utc,
    }
}

fn granted(account: &Account, request: &Request<'_>) -> Grant {
    match decide(account, request) {
        Verdict::Grant(grant) => *grant,
        other => panic!("expected a grant: {other:?}"),
    }
}

fn refused(account: &Account, request: &Request<'_>) -> (Reason, Option<Instant>) {
    match decide(account, request) {
        Verdict::Refuse(refusal) => (refusal.reason, refusal.retry_at),
        other => panic!("expected a refusal: {other:?}"),
    }
}

#[test]
fn exactly_as_many_grants_as_slots() {
    let mut a = account();
    for sent in 1..=2 {
        let grant = granted(&a, &request(Action::Inmail, noon()));
        assert_eq!(grant.counts, Counts { sent_today: sent, daily_cap: 2, remaining: 2 - sent });
        assert_eq!(grant.expires_at, noon().plus(15 * MINUTE));
        a = grant.account;
    }
    let midnight = Day::from_civil(2026, 5, 25).start();
    assert_eq!(refused(&a, &request(Action::Inmail, noon())), (Reason::DailyCapReached, Some(midnight)));
    assert!(matches!(decide(&a, &request(Action::Inmail, midnight)), Verdict::Grant(_)));
    assert_eq!(a.inmail_cap_today, 2);
}

#[test]
fn a_grant_is_valid_until_midnight_or_the_window_closes() {
    let mut a = account();
    assert_eq!(granted(&a, &request(Action::Invite, noon())).valid_until, a.day.next().start());
    a.window = Window::new(9 * HOUR, 17 * HOUR, 0b100_0000).ok();
    assert_eq!(granted(&a, &request(Action::Invite, noon())).valid_until, noon().plus(5 * HOUR));
    let (reason, retry_at) = refused(&a, &request(Action::Invite, noon().plus(5 * HOUR)));
    assert_eq!(reason, Reason::OutsideSendingWindow);
    assert_eq!(retry_at, Some(noon().plus(7 * DAY - 3 * HOUR)), "next Sunday at nine");
}

#[test]
fn the_first_rule_in_order_gives_the_reason() {
    let mut a = account();
    let mut r = request(Action::Inmail, noon());
    a.sent_today[0] = 2;
    assert_eq!(refused(&a, &r).0, Reason::DailyCapReached);
    a.sent_this_week[0] = 3;
    assert_eq!(refused(&a, &r).0, Reason::WeeklyCapReached);
    r.tier.minimum_gap = HOUR;
    a.last_granted_at[0] = Some(noon().plus(-HOUR + 1));
    assert_eq!(refused(&a, &r), (Reason::Pacing, Some(noon().plus(1))));
    r.prospect = Some(ProspectHistory { unresolved: false, last_kept_at: Some(noon().plus(-DAY + 1)) });
    assert_eq!(refused(&a, &r), (Reason::ProspectCooldown, Some(noon().plus(1))));
    r.prospect = Some(ProspectHistory { unresolved: true, last_kept_at: Some(noon()) });
    assert_eq!(refused(&a, &r), (Reason::OperationInFlight, None));
    a.window = Window::new(0, HOUR, 1).ok();
    assert_eq!(refused(&a, &r).0, Reason::OutsideSendingWindow);
    a.cooldown_until = Some(noon().plus(1));
    assert_eq!(refused(&a, &r), (Reason::AccountCooldown, Some(noon().plus(1))));
    a.breaker.exhausted_at = Some(noon());
    assert_eq!(refused(&a, &r).0, Reason::CreditsExhausted);
    a.breaker.mode = BreakerMode::Open;
    assert_eq!(refused(&a, &r), (Reason::BreakerForcedOpen, None));
    a.status = Status::Restricted;
    assert_eq!(refused(&a, &r), (Reason::AccountNotConnected, None));
    r.paused = true;
    assert_eq!(refused(&a, &r), (Reason::PausedByOperator, None));
}

#[test]
fn the_breaker_stops_inmails_only() {
    let mut a = account();
    a.breaker.exhausted_at = Some(noon());
    for action in Action::ALL {
        let verdict = decide(&a, &request(*action, noon()));
        assert_eq!(matches!(verdict, Verdict::Grant(_)), *action != Action::Inmail);
    }
    a.breaker.mode = BreakerMode::Open;
    assert!(matches!(decide(&a, &request(Action::Invite, noon())), Verdict::Grant(_)));
}

#[test]
fn one_probe_passes_an_open_breaker_after_every_other_rule() {
    let mut a = account();
    a.breaker.exhausted_at = Some(noon().plus(-HOUR));
    a.breaker.probe = Some(Probe { lease_until: noon().plus(MINUTE), taken_by: None });
    let mut r = request(Action::Inmail, noon());
    r.paused = true;
    assert_eq!(refused(&a, &r).0, Reason::PausedByOperator);
    r.paused = false;
    let grant = granted(&a, &r);
    assert_eq!(grant.valid_until, noon().plus(MINUTE), "not longer than the permit");
    let probe = grant.account.breaker.probe.clone().unwrap();
    assert_eq!(probe, Probe { lease_until: grant.expires_at, taken_by: Some([7; 16]) });
    assert_eq!(refused(&grant.account, &r).0, Reason::CreditsExhausted, "never two at a time");
    r.now = noon().plus(MINUTE);
    assert_eq!(refused(&a, &r).0, Reason::CreditsExhausted, "a lapsed permit is none");
}

#[test]
fn an_open_breaker_clears_for_a_new_period_or_for_evidence() {
    let mut a = account();
    a.breaker.exhausted_at = Some(noon());
    let mut r = request(Action::Inmail, noon().plus(HOUR));
    r.evidence = true;
    assert_eq!(decide(&a, &r), Verdict::ClearBreaker(ClearReason::RecentSuccessEvidence));
    r.now = Day::from_civil(2026, 6, 1).start();
    assert_eq!(decide(&a, &r), Verdict::ClearBreaker(ClearReason::MonthlyReset));
}

#[test]
fn a_row_ahead_of_the_clock_goes_on_counting_on_its_own_day() {
    let mut a = account();
    a.sent_today[0] = 1;
    let yesterday = noon().plus(-DAY);
    let grant = granted(&a, &request(Action::Inmail, yesterday));
    assert_eq!((grant.counted_on, grant.counts.sent_today), (a.day, 2));
}

fn any_account() -> impl Strategy<Value = Account> {
    let counters = prop::array::uniform5(0i32..4);
    let breaker = (0usize..3, prop::option::of(-40i64..2), prop::option::of((-1i64..2, any::<bool>())));
    (
        (0usize..4, -2i32..2, counters.clone(), counters, any::<bool>(), 0i32..6),
        (breaker, prop::option::of(-1i64..2), 1u8..=31, prop::option::of(0i32..4)),
        prop::option::of((0i64..24, 1i64..24, 1u8..128)),
    )
        .prop_map(
            |((status, day, today, week, ramp, ramp_days), (breaker, cooldown, reset, cap), window)| {
                let mut a = account();
                a.status = Status::ALL[status];
                a.day = Day(a.day.0 + day);
                a.week = a.day.week();
                a.sent_today = today;
                a.sent_this_week = week;
                (a.ramp, a.ramp_days) = (ramp, ramp_days);
                let (mode, stamp, probe) = breaker;
                a.breaker = Breaker {
                    mode: BreakerMode::ALL[mode],
                    exhausted_at: stamp.map(|days| noon().plus(days * DAY)),
                    cleared_at: None,
                    probe: probe.map(|(hours, taken)| Probe {
                        lease_until: noon().plus(hours * HOUR),
                        taken_by: taken.then_some([9; 16]),
                    }),
                };
                a.cooldown_until = cooldown.map(|hours| noon().plus(hours * HOUR));
                a.credit_reset_day = reset;
                a.caps[0] = CapOverride { daily: cap, weekly: None };
                a.window = window.and_then(|(start, length, days)| {
                    Window::new(start * HOUR, (start + length) % 24 * HOUR, days).ok()
                });
                a
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Every grant satisfies each rule of the contract, said here without the gate's own words.
    #[test]
    fn no_grant_breaks_a_rule(
        a in any_account(), action in 0usize..ACTIONS, hours in -30i64..60, paused in any::<bool>(),
        evidence in any::<bool>(), unresolved in any::<bool>(), kept in prop::option::of(0i64..40),
    ) {
        let action = Action::ALL[action];
        let now = noon().plus(hours * HOUR);
        let mut r = request(action, now);
        (r.paused, r.evidence) = (paused, evidence);
        r.prospect = Some(ProspectHistory {
            unresolved,
            last_kept_at: kept.map(|hours| now.plus(-hours * HOUR)),
        });
        match decide(&a, &r) {
            Verdict::Grant(grant) => {
                prop_assert!(!paused && a.status == Status::Connected && !unresolved);
                prop_assert!(kept.is_none_or(|hours| hours >= 24));
                prop_assert!(a.cooldown_until.is_none_or(|until| until <= now));
                let counts = grant.counts;
                prop_assert!(counts.sent_today <= counts.daily_cap && counts.remaining >= 0);
                prop_assert!(counts.daily_cap <= a.caps[action.index()].daily.unwrap_or(2));
                prop_assert!(grant.account.sent_this_week[action.index()] <= 3);
                prop_assert!(grant.account.day >= a.day && grant.account.day >= now.day());
                prop_assert_eq!(grant.counted_on, grant.account.day);
                prop_assert!(grant.valid_until > now);
                let others = |row: &Account| {
                    let mut sent = row.rolled(now).sent_today;
                    sent[action.index()] = 0;
                    sent
                };
                prop_assert_eq!(others(&grant.account), others(&a));
                if action == Action::Inmail && a.breaker.mode != BreakerMode::Closed {
                    prop_assert!(a.breaker.mode != BreakerMode::Open);
                    if a.breaker.exhausted_at.is_some() {
                        let probe = grant.account.breaker.probe.clone().unwrap();
                        prop_assert_eq!(probe.taken_by, Some(r.operation));
                        prop_assert!(a.breaker.probe.clone().unwrap().taken_by.is_none());
                        prop_assert!(probe.lease_until >= grant.expires_at);
                    }
                } else {
                    prop_assert_eq!(&grant.account.breaker, &a.breaker);
                }
            }
            Verdict::Refuse(refusal) => {
                prop_assert!(refusal.retry_at.is_none_or(|at| at > now), "waiting for the past");
            }
            Verdict::ClearBreaker(_) => {
                prop_assert!(action == Action::Inmail && a.breaker.exhausted_at.is_some());
                let mut cleared = a.clone();
                cleared.breaker.clear(now);
                prop_assert!(!matches!(decide(&cleared, &r), Verdict::ClearBreaker(_)), "clears once");
            }
        }
    }

    /// When the refusing rule lets go, that rule no longer refuses.
    #[test]
    fn retry_at_is_the_refusing_rules_own_instant(a in any_account(), action in 0usize..ACTIONS) {
        let mut r = request(Action::ALL[action], noon());
        if let Verdict::Refuse(Refusal { reason, retry_at: Some(at), .. }) = decide(&a, &r) {
            r.now = at;
            if let Verdict::Refuse(again) = decide(&a, &r) {
                prop_assert!(again.reason != reason, "{:?} still refuses", reason);
            }
            r.now = at.plus(-1);
            let just_before = decide(&a, &r);
            prop_assert!(!matches!(just_before, Verdict::Grant(_)), "let go too early");
        }
    }
}
