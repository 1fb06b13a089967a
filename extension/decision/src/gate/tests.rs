//! The gate's rules one by one, then random accounts against the rules stated independently. `order` has which
//! rule gives the reason.

use super::*;
use crate::account::{CapOverride, Recalled, fixture::account};
use crate::breaker::Breaker;
use crate::clock::{DAY, HOUR, MINUTE};
use crate::failures::{Failing, Failures};
use crate::names::ACTIONS;
use crate::window::{Utc, Window};
use proptest::prelude::*;

mod order;

const TIER: TierCap =
    TierCap { daily: 2, weekly: Some(3), ramp_start_percent: 20, ramp_step_percent: 20, minimum_gap: 0 };

fn noon() -> Instant {
    Day::from_civil(2026, 5, 24).start().plus(12 * HOUR)
}

fn request(action: Action, now: Instant) -> Request<'static> {
    Request {
        account_id: "account",
        action,
        now,
        operation: [7; 16],
        paused: false,
        evidence: false,
        first_expiry: None,
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

/// A change to the account or the request that makes a rule hold, and that rule's answer.
#[test]
fn a_suppression_ends_by_itself_or_never() {
    let mut r = request(Action::Invite, noon());
    r.suppressed = Some(Suppression { until: None });
    assert_eq!(refused(&account(), &r), (Reason::ProspectSuppressed, None));
    r.suppressed = Some(Suppression { until: Some(noon()) });
    granted(&account(), &r);
    r.campaign = Some(CampaignLimit { limit: 0, taken: 0 });
    assert_eq!(refused(&account(), &r), (Reason::CampaignLimitReached, None));
}

#[test]
fn an_action_cools_down_until_the_later_of_its_ends() {
    let mut a = account();
    a.failures[1].failing = Some(Failing { since: noon().plus(-DAY), until: noon().plus(2 * MINUTE) });
    a.action_cooldown_until[1] = Some(noon().plus(MINUTE));
    let r = request(Action::Invite, noon());
    assert_eq!(refused(&a, &r), (Reason::ActionCooldown, Some(noon().plus(2 * MINUTE))));
    a.action_cooldown_until[1] = Some(noon().plus(HOUR));
    assert_eq!(refused(&a, &r), (Reason::ActionCooldown, Some(noon().plus(HOUR))));
    granted(&a, &request(Action::Message, noon()));
}

#[test]
fn one_attempt_passes_once_the_silence_is_over() {
    let mut a = account();
    a.failures[1].failing = Some(Failing { since: noon().plus(-DAY), until: noon() });
    let r = request(Action::Invite, noon());
    let grant = granted(&a, &r);
    assert_eq!(refused(&grant.account, &r), (Reason::ActionCooldown, Some(grant.expires_at)));
}

#[test]
fn days_that_are_not_counted_come_before_an_answer() {
    let mut a = Account { sent_before: None, ..account() };
    let mut r = request(Action::Inmail, noon());
    assert_eq!(decide(&a, &r), Verdict::NeedsCount);
    r.tier.weekly = None;
    assert_eq!(decide(&a, &r), Verdict::NeedsCount, "nor are the day's attempts");
    a.recall(&Recalled { attempts_today: [100, 0, 0, 0, 0], ..Recalled::default() });
    assert_eq!(refused(&a, &r).0, Reason::DailyAttemptsReached);
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
    let breaker = (0usize..3, prop::option::of(-40i64..1), prop::option::of((-1i64..2, any::<bool>())));
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
                a.sent_today = today;
                a.sent_before.as_mut().unwrap()[0] = [week[0], 0, week[1], 0, 0, week[2]];
                a.attempts_today = [today[0] + week[3], 4, 0, 4, 4];
                a.failures = [2, 1, 0, 3, 4].map(|at| Failures {
                    count: 10,
                    level: 0,
                    failing: (week[at] > 1).then_some(Failing {
                        since: noon().plus(-DAY),
                        until: noon().plus(i64::from(week[4] - 1) * HOUR),
                    }),
                });
                a.action_cooldown_until[0] = cooldown.map(|hours| noon().plus(2 * hours * HOUR));
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
                    ..Breaker::default()
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
                let i = action.index();
                prop_assert!(grant.account.sent_in_seven_days(action).unwrap() <= 3);
                prop_assert!(grant.account.attempts_today[i] <= 2 * counts.daily_cap);
                prop_assert!(a.action_cooldown_until[i].is_none_or(|until| until <= now));
                prop_assert!(a.failures[i].failing.is_none_or(|failing| failing.until <= now));
                let failing = grant.account.failures[i].failing;
                prop_assert!(failing.is_none_or(|failing| failing.until == grant.expires_at));
                prop_assert!(grant.account.day >= a.day && grant.account.day >= now.day());
                prop_assert!(grant.counted_on == grant.account.day && grant.valid_until > now);
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
            Verdict::NeedsCount | Verdict::NeedsPeriod | Verdict::ArmBreaker => unreachable!(),
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
