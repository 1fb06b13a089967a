//! The contract's order: of all rules that hold, the first gives the reason, and its own `retry_at`.

use crate::calendar::{Probed, instant, last_date, midnight, next_date, wall};
use crate::ledger::{ramp_cap, request};
use crate::state::{RULES, State, state};
use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Timelike, Utc};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use sendgate_decision::account::Account;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::failures::Limits;
use sendgate_decision::gate::{Request, Suppression, Verdict, decide};
use sendgate_decision::names::{Action, BreakerMode, Status};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// A rule: its name, whether it holds, and when it lets go by itself.
type Rule = (&'static str, fn(&State) -> bool, fn(&State) -> Option<DateTime<Utc>>);

/// The rules as the contract lists them, spelled as it spells them.
const ORDER: [Rule; RULES as usize] = [
    ("paused_by_operator", |s| s.paused, |_| None),
    ("account_not_connected", |s| s.status != Status::Connected, |_| None),
    ("breaker_forced_open", |s| s.action == Action::Inmail && s.mode == BreakerMode::Open, |_| None),
    ("account_inmail_credits_exhausted", no_credits, |s| Some(next_period(s))),
    ("account_cooldown", |s| s.cooldown_until.is_some_and(|until| s.now < until), |s| s.cooldown_until),
    ("action_cooldown", |s| silence(s).is_some_and(|until| s.now < until), silence),
    ("outside_sending_window", |s| outside(s, s.now), |s| Some(opening(s))),
    ("prospect_suppressed", is_suppressed, |s| s.suppressed.flatten()),
    ("operation_in_flight", |s| s.unresolved, |_| None),
    ("prospect_cooldown", is_warm, |s| s.last_kept_at.map(|at| at + s.prospect_cooldown)),
    ("pacing", |s| paced(s).is_some_and(|until| s.now < until), paced),
    ("weekly_cap_reached", is_week_full, week_lets_go),
    ("daily_cap_reached", is_day_full, |s| (s.daily_cap() != 0).then(|| tomorrow(s))),
    ("daily_attempts_reached", is_tried_too_often, |s| Some(tomorrow(s))),
    ("campaign_limit_reached", has_its_part, |s| (s.campaign.unwrap().limit != 0).then(|| tomorrow(s))),
];

/// Whether credits arrive on this date: on the reset day, or on the last of a month without one.
fn is_reset(date: NaiveDate, reset_day: u8) -> bool {
    let is_last = (date + Days::new(1)).month() != date.month();
    date.day() == u32::from(reset_day) || (is_last && date.day() < u32::from(reset_day))
}

fn is_stamp_of_this_period(s: &State, stamp: DateTime<Utc>) -> bool {
    stamp >= midnight(last_date(s.now.date_naive(), |date| is_reset(date, s.reset_day)))
}

fn next_period(s: &State) -> DateTime<Utc> {
    midnight(next_date(s.now.date_naive(), |date| is_reset(date, s.reset_day)))
}

/// Why the stamp goes before the gate answers, if it does.
fn cleared_for(s: &State) -> Option<ClearReason> {
    let consulted = !s.paused && s.status == Status::Connected && s.action == Action::Inmail;
    let stamp = s.stamp.filter(|_| consulted && s.mode == BreakerMode::Auto)?;
    if !is_stamp_of_this_period(s, stamp) {
        Some(ClearReason::MonthlyReset)
    } else {
        s.evidence.then_some(ClearReason::RecentSuccessEvidence)
    }
}

fn no_credits(s: &State) -> bool {
    let has_permit = s.permit.is_some_and(|(until, taken)| !taken && s.now < until);
    s.action == Action::Inmail && s.mode == BreakerMode::Auto && s.stamp.is_some() && !has_permit
}

fn outside(s: &State, at: DateTime<Utc>) -> bool {
    s.hours.is_some_and(|hours| !hours.inside(wall(s.zone, at)))
}

fn opening(s: &State) -> DateTime<Utc> {
    let mut at = s.now.with_second(0).unwrap().with_nanosecond(0).unwrap();
    while outside(s, at) {
        at += TimeDelta::minutes(1);
    }
    at
}

fn is_warm(s: &State) -> bool {
    s.last_kept_at.is_some_and(|at| s.now - at < s.prospect_cooldown)
}

/// When the later of its ends is.
fn silence(s: &State) -> Option<DateTime<Utc>> {
    [s.action_cooldown_until, s.silent_until].into_iter().flatten().max()
}

fn is_suppressed(s: &State) -> bool {
    s.suppressed.is_some_and(|until| until.is_none_or(|until| s.now < until))
}

/// When the later of the gaps is over: the tier's after the action, the account's after any.
fn paced(s: &State) -> Option<DateTime<Utc>> {
    let of_tier = s.grants.last(s.action).map(|at| at + TimeDelta::microseconds(s.tier.minimum_gap));
    let of_account = s.grants.last_of_all().map(|at| at + s.gap);
    of_tier.into_iter().chain(of_account).max()
}

fn week_lets_go(s: &State) -> Option<DateTime<Utc>> {
    let mut dates = s.now.date_naive().iter_days().skip(1).take(8);
    let free = dates.find(|&date| s.grants.in_week(s.action, date) < s.weekly_cap().unwrap());
    free.map(midnight)
}

fn is_tried_too_often(s: &State) -> bool {
    let today = s.written_at.date_naive() == s.now.date_naive();
    let made = if today { s.attempts_made() } else { 0 };
    s.attempts.0 != 0 && i64::from(made) * 100 >= i64::from(s.daily_cap()) * i64::from(s.attempts.0)
}

fn has_its_part(s: &State) -> bool {
    s.campaign.is_some_and(|campaign| campaign.taken >= campaign.limit)
}

fn is_week_full(s: &State) -> bool {
    s.weekly_cap().is_some_and(|cap| s.grants.in_week(s.action, s.now.date_naive()) >= cap)
}

fn is_day_full(s: &State) -> bool {
    s.grants.on_day(s.action, s.now.date_naive()) >= s.daily_cap()
}

fn tomorrow(s: &State) -> DateTime<Utc> {
    midnight(next_date(s.now.date_naive(), |_| true))
}

impl State {
    fn weekly_cap(&self) -> Option<i32> {
        self.caps.weekly.or(self.tier.weekly)
    }

    fn daily_cap(&self) -> i32 {
        let daily = self.caps.daily.unwrap_or(self.tier.daily);
        let days = self.grants.sending_days(NaiveDate::MIN, self.now.date_naive());
        if self.ramp { daily.min(ramp_cap(&self.tier, daily, days)) } else { daily }
    }

    /// As many attempts as the day's cap allows, and the state's own more or fewer.
    pub fn attempts_made(&self) -> i32 {
        let share = i64::from(self.daily_cap()) * i64::from(self.attempts.0);
        let most = (0..).find(|&made| i64::from(made) * 100 >= share).unwrap();
        (most + self.attempts.1).max(0)
    }

    fn request<'a>(&self, zone: &'a Probed) -> Request<'a> {
        Request {
            paused: self.paused,
            evidence: self.evidence,
            prospect: Some(self.prospect()),
            suppressed: self.suppressed.map(|until| Suppression { until: until.map(instant) }),
            campaign: self.campaign,
            limits: Limits { attempt_percent: self.attempts.0, ..Limits::default() },
            prospect_cooldown: self.prospect_cooldown.num_microseconds().unwrap(),
            zone,
            ..request(self.action, self.now, self.tier)
        }
    }
}

/// Asks as a caller does: where the stamp is to go first, it goes, and the gate is asked again.
fn answer(mut s: State, account: &mut Account) -> Result<(State, Verdict), TestCaseError> {
    let zone = Probed(s.zone);
    let mut verdict = decide(account, &s.request(&zone));
    if let Some(reason) = cleared_for(&s) {
        prop_assert_eq!(verdict, Verdict::ClearBreaker(reason));
        account.breaker.clear(instant(s.now));
        (s.stamp, s.permit) = (None, None);
        verdict = decide(account, &s.request(&zone));
    }
    Ok((s, verdict))
}

/// The name of the answer, once it is known to be the first rule of the order that holds.
fn check_first_rule(s: State) -> Result<&'static str, TestCaseError> {
    let mut account = s.account();
    let (s, verdict) = answer(s, &mut account)?;
    let first = ORDER.iter().find(|rule| rule.1(&s));
    match (verdict, first) {
        (Verdict::Refuse(refusal), Some((name, _, retry_at))) => {
            prop_assert_eq!(refusal.reason.name(), *name);
            prop_assert_eq!(refusal.retry_at, retry_at(&s).map(instant));
            prop_assert!(refusal.retry_at.is_none_or(|at| at > instant(s.now)), "waiting for the past");
            Ok(name)
        }
        (Verdict::Grant(_), None) => Ok("granted"),
        (verdict, first) => {
            let expected = first.map_or("a grant", |rule| rule.0);
            Err(TestCaseError::fail(format!("expected {expected}, not {verdict:?}")))
        }
    }
}

/// Also counts the answers, because an order that is never put to the test proves nothing.
#[test]
fn the_first_rule_that_holds_gives_the_reason_in_every_state() {
    let seen = RefCell::new(BTreeMap::new());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(6_000) });
    let outcome = runner.run(&state(), |state| {
        *seen.borrow_mut().entry(check_first_rule(state)?).or_insert(0) += 1;
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    let seen = seen.into_inner();
    for name in ORDER.iter().map(|rule| rule.0).chain(["granted"]) {
        assert!(seen.get(name).is_some_and(|&times| times >= 50), "{name} came too seldom: {seen:?}");
    }
}
