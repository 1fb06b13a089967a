//! What the reconcilers make of an account: counters against the journal, counters against the
//! events.

use crate::account::{Account, DAYS_BEFORE, Recalled, SentBefore};
use crate::budget::{Budget, TierCap};
use crate::clock::{DAY, Day, HOUR, Instant, MINUTE};
use crate::credits::journal::{self, Sending};
use crate::failures::Limits;
use crate::names::{ACTIONS, Action};

/// How far the counter may be ahead of the event log before an alert opens, in slots: answers on their way
/// and single lost ones are normal.
pub const AHEAD_MAX: i32 = 5;

/// A counter above the cap opens an alert from this share of the cap on, in percent.
pub const OVER_CAP_PERCENT: i64 = 120;

/// How long an account that is over its cap cools down.
pub const OVER_CAP_COOLDOWN: i64 = HOUR;

/// What the journal counts on a day, for one action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// Delivered.
    pub delivered: i32,
    /// In flight or expired: no answer yet.
    pub reserved: i32,
    /// Of unknown outcome.
    pub indeterminate: i32,
}

impl Parts {
    /// What the counter should be: everything that holds its slot.
    pub fn total(&self) -> i32 {
        self.delivered.saturating_add(self.reserved).saturating_add(self.indeterminate)
    }
}

/// What the journal says about one action of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// On the row's day and on each of the six before it, the row's own first.
    pub days: [Parts; DAYS_BEFORE + 1],
    /// Grants on the row's day whose outcome is not `released`; external sends are none.
    pub attempts: i32,
}

/// Which counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counter {
    /// Slots taken.
    Sent,
    /// Attempts made.
    Attempts,
    /// InMail credits left; they are no slots, so their parts are 0.
    Credits,
}

/// A counter that is corrected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Whose counter.
    pub action: Action,
    /// Which.
    pub counter: Counter,
    /// The day that it counts.
    pub day: Day,
    /// What it was.
    pub before: i32,
    /// What the journal says.
    pub after: i32,
    /// The slots that the journal counts on that day, and why they are taken.
    pub parts: Parts,
}

/// The days before the row's own, from the journal.
pub fn days_before(counted: &[Counted; ACTIONS]) -> SentBefore {
    counted.map(|of| std::array::from_fn(|ago| of.days[ago + 1].total()))
}

/// Sets the counters of an account that is rolled to now to what the journal counts, raised or
/// lowered, and says what that corrected. Counters that were not counted before are no correction.
pub fn reconcile(account: &mut Account, counted: &[Counted; ACTIONS]) -> Vec<Correction> {
    let day = account.day;
    let mut corrections = Vec::new();
    if account.sent_before.is_none() {
        let attempts_today = counted.map(|of| of.attempts);
        account.recall(&Recalled { sent_before: days_before(counted), attempts_today });
    }
    let before = account.sent_before.get_or_insert_default();
    for &action in Action::ALL {
        let i = action.index();
        let mut correct = |counter, ago: usize, value: &mut i32, after: i32| {
            if *value != after {
                let (day, parts) = (Day(day.0.saturating_sub(ago as i32)), counted[i].days[ago]);
                corrections.push(Correction { action, counter, day, before: *value, after, parts });
                *value = after;
            }
        };
        let sent = [&mut account.sent_today[i]].into_iter().chain(&mut before[i]);
        for (ago, value) in sent.enumerate() {
            correct(Counter::Sent, ago, value, counted[i].days[ago].total());
        }
        correct(Counter::Attempts, 0, &mut account.attempts_today[i], counted[i].attempts);
    }
    corrections
}

/// Whether work of the action may sleep under a setting that does not refuse any more, and until when: to the end
/// of a silence where no failure counts, or to midnight where the attempts of the day are allowed again (at less
/// than the cap no percentage refuses).
pub fn let_go(
    account: &Account,
    action: Action,
    tier: impl FnOnce() -> TierCap,
    limits: &Limits,
    now: Instant,
) -> Option<Instant> {
    let failing = account.failures[action.index()].failing.map(|failing| failing.until);
    let silent = failing.filter(|&until| limits.failure_limit <= 0 && until > now);
    if silent.is_some() || account.day < now.day() || account.attempts_today[action.index()] == 0 {
        return silent;
    }
    let budget = Budget::of(account, action, &tier());
    let tried = account.attempts_today[action.index()] >= budget.daily_cap;
    let may =
        budget.sent_today < budget.daily_cap && budget.attempts_are_spent(account, action, limits).is_none();
    (tried && may).then(|| account.day.next().start())
}

/// Sets the known credits of an account that is rolled to now to what the journal counts (`sendings`: the InMails
/// whose `expires_at` is after the credits' `since`), and says what that corrected. A balance that lies ahead of
/// the clock is left alone.
pub fn reconcile_credits(account: &mut Account, sendings: &[Sending], now: Instant) -> Option<Correction> {
    let day = account.day;
    let credits = account.credits.as_mut().filter(|credits| !credits.is_ahead_of(now))?;
    // As the journal is, which is younger than the sweep's `now`: a session that held the account meanwhile may have
    // taken or given back a credit.
    let (before, after) = (credits.left, journal::left(credits, sendings, Instant::MAX));
    credits.left = after;
    let parts = Parts::default();
    let correction =
        Correction { action: Action::Inmail, counter: Counter::Credits, day, before, after, parts };
    (before != after).then_some(correction)
}

/// What the audit sees of an account's InMails of one day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Audited {
    /// The counter.
    pub counter: i32,
    /// Events of operations that count on the day.
    pub events: i32,
    /// Operations that are still inside their time to answer.
    pub in_flight: i32,
    /// The highest effective cap of the day.
    pub cap: i32,
}

impl Audited {
    /// By how much the counter is ahead of what is delivered or may still be.
    pub fn ahead(&self) -> i32 {
        self.counter.saturating_sub(self.events).saturating_sub(self.in_flight)
    }

    /// Whether an alert has to say that the counter is ahead.
    pub fn is_ahead(&self) -> bool {
        self.ahead() > AHEAD_MAX
    }

    /// Whether more was delivered than the counter knows: slots may be granted twice.
    pub fn is_behind(&self) -> bool {
        self.counter < self.events
    }

    /// Whether the counter is so far above the cap that the account has to cool down.
    pub fn is_over_cap(&self) -> bool {
        let (counter, cap) = (i64::from(self.counter), i64::from(self.cap));
        counter > cap && counter * 100 >= cap * OVER_CAP_PERCENT
    }
}

/// Whether a sweep that a quarantine waits for is due: at once, and a minute after it began if held accounts
/// kept it from being whole.
pub fn is_due_again(began_under_it: bool, started_at: Option<Instant>, now: Instant) -> bool {
    !began_under_it || started_at.is_none_or(|at| at > now || at.plus(MINUTE) <= now)
}

/// Whether a job is due: never finished, finished in the future (the clock was put back), stopped in
/// the middle of a sweep, or begun long enough ago. Daily jobs are due once every UTC day.
pub fn is_due(every: Every, started_at: Option<Instant>, finished_at: Option<Instant>, now: Instant) -> bool {
    let (Some(started_at), Some(finished_at)) = (started_at, finished_at) else {
        return true;
    };
    if finished_at > now || started_at > finished_at {
        return true;
    }
    match every {
        Every::Day => started_at.day() < now.day(),
        Every::Micros(micros) => started_at.plus(micros) <= now,
    }
}

/// How often a job runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// At 00:00 UTC.
    Day,
    /// So many microseconds after it began.
    Micros(i64),
}

impl Every {
    /// A whole day is meant as one of the calendar.
    pub const fn of(micros: i64) -> Every {
        if micros == DAY { Every::Day } else { Every::Micros(micros) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::fixture::account;
    use crate::credits::Credits;
    use crate::credits::journal::Fate;
    use crate::failures::{Failing, Failures};

    #[test]
    fn counters_become_what_the_journal_counts() {
        let mut a = account();
        a.sent_today = [7, 0, 1, 0, 0];
        a.attempts_today = [7, 0, 0, 0, 0];
        let parts = Parts { delivered: 2, reserved: 1, indeterminate: 1 };
        let mut counted = [Counted::default(); ACTIONS];
        (counted[0].days[0], counted[0].attempts) = (parts, 9);
        (counted[2].days[0], counted[2].days[6]) = (Parts { delivered: 1, ..Parts::default() }, parts);
        let corrections = reconcile(&mut a, &counted);
        assert_eq!((a.sent_today[0], a.attempts_today[0]), (4, 9), "not below what is in flight");
        assert_eq!(a.sent_in_seven_days(Action::Message), Some(5), "raised");
        let seen: Vec<_> =
            corrections.iter().map(|c| (c.action, c.counter, a.day.0 - c.day.0, c.before, c.after)).collect();
        assert_eq!(
            seen,
            [
                (Action::Inmail, Counter::Sent, 0, 7, 4),
                (Action::Inmail, Counter::Attempts, 0, 7, 9),
                (Action::Message, Counter::Sent, 6, 0, 4),
            ]
        );
        assert_eq!(reconcile(&mut a, &counted), [], "once");
    }

    #[test]
    fn days_that_were_never_counted_are_counted_and_not_corrected() {
        let mut a = Account { sent_before: None, ..account() };
        let mut counted = [Counted::default(); ACTIONS];
        (counted[1].days[3].delivered, counted[1].attempts) = (5, 7);
        assert_eq!(reconcile(&mut a, &counted), []);
        assert_eq!(a.attempts_today[1], 7);
        assert_eq!(a.sent_before.unwrap()[1], [0, 0, 5, 0, 0, 0]);
    }

    #[test]
    fn settings_that_let_go_are_told_from_those_that_refuse() {
        let mut a = account();
        let now = a.day.start().plus(HOUR);
        let tier =
            TierCap { daily: 2, weekly: None, ramp_start_percent: 20, ramp_step_percent: 20, minimum_gap: 0 };
        let woken = |a: &Account, failure_limit, attempt_percent| {
            let limits = Limits { failure_limit, attempt_percent, ..Limits::default() };
            let_go(a, Action::Invite, || tier, &limits, now)
        };
        assert_eq!(woken(&a, 0, 0), None, "it tried nothing");
        a.failures[1].failing = Some(Failing { since: a.day.start(), until: now.plus(HOUR) });
        assert_eq!((woken(&a, 10, 200), woken(&a, 0, 200)), (None, Some(now.plus(HOUR))));
        a.failures[1] = Failures::default();
        a.attempts_today[1] = 4;
        let midnight = Some(a.day.next().start());
        assert_eq!((woken(&a, 10, 200), woken(&a, 10, 300), woken(&a, 10, 0)), (None, midnight, midnight));
        a.sent_today[1] = 2;
        assert_eq!(woken(&a, 10, 0), None, "the cap refuses");
        a = Account { day: Day(a.day.0 - 1), sent_today: [0; ACTIONS], ..a };
        assert_eq!(woken(&a, 10, 0), None, "those were of yesterday");
    }

    #[test]
    fn what_other_sessions_did_since_the_sweep_began_is_no_drift_of_credits() {
        let mut a = account();
        let told = a.day.start();
        let now = told.plus(HOUR);
        a.credits = Some(Credits { left: 4, base: 5, since: told, observed_at: told, spent_at: None });
        let fate = Fate::Unanswered;
        let after = Sending { reserved_at: now.plus(1), expires_at: now.plus(HOUR), settled_at: None, fate };
        assert_eq!(reconcile_credits(&mut a, &[after], now), None, "granted since");
        let back = Sending {
            reserved_at: told.plus(1),
            settled_at: Some(now.plus(1)),
            fate: Fate::GivenBack,
            ..after
        };
        assert_eq!(reconcile_credits(&mut a, &[after, back], now), None, "given back since");
        let correction = reconcile_credits(&mut a, &[], now).expect("one was taken for nothing");
        assert_eq!((correction.before, correction.after), (4, 5));
    }

    #[test]
    fn the_audit_tells_ahead_behind_and_over_cap() {
        let of = |counter, events, in_flight, cap| Audited { counter, events, in_flight, cap };
        assert!(!of(15, 10, 0, 50).is_ahead(), "five is normal");
        assert!(of(16, 10, 0, 50).is_ahead());
        assert!(!of(16, 10, 1, 50).is_ahead(), "in flight does not count");
        assert!(of(9, 10, 0, 50).is_behind());
        assert!(!of(59, 0, 0, 50).is_over_cap());
        assert!(of(60, 0, 0, 50).is_over_cap(), "the seed's example");
        assert!(!of(1, 0, 0, 1).is_over_cap(), "at the cap is no offence");
        assert!(of(1, 0, 0, 0).is_over_cap());
        assert!(!of(0, 0, 0, 0).is_over_cap());
    }

    #[test]
    fn a_job_is_due_when_its_time_has_come_or_its_past_makes_no_sense() {
        let noon = account().day.start().plus(12 * HOUR);
        let ten = Every::of(10 * MINUTE);
        let due =
            |every, start: i64, end: i64| is_due(every, Some(noon.plus(start)), Some(noon.plus(end)), noon);
        assert!(is_due(ten, None, None, noon));
        assert!(!due(ten, -9 * MINUTE, -8 * MINUTE));
        assert!(due(ten, -10 * MINUTE, -8 * MINUTE));
        assert!(due(ten, -MINUTE, -2 * MINUTE), "stopped in the middle");
        assert!(due(ten, -MINUTE, MINUTE), "the clock was put back");
        assert!(!due(Every::Day, -12 * HOUR, -11 * HOUR), "ran at midnight");
        assert!(due(Every::Day, -12 * HOUR - 1, -12 * HOUR));
        assert!(due(Every::of(DAY), -2 * DAY, -2 * DAY));
    }

    #[test]
    fn what_a_quarantine_waits_for_is_due_at_once_and_then_every_minute() {
        let now = account().day.start();
        let again = |started: i64| is_due_again(true, Some(now.plus(started)), now);
        assert!(is_due_again(false, Some(now), now), "began before");
        assert!(is_due_again(true, None, now));
        assert!(!again(1 - MINUTE));
        assert!(again(-MINUTE));
        assert!(again(1), "the clock was put back");
    }
}
