//! The account row as a value: counters with their day, caps, cooldowns, breaker, window.

use crate::breaker::Breaker;
use crate::clock::{Day, Instant, credit_period_start};
use crate::credits::{Allowance, Calendar, Credits, Unanswered};
use crate::failures::{FAILING_MAX, Failures};
use crate::names::{ACTIONS, Action, Status};
use crate::window::Window;

/// How many days before the row's own day the row remembers: with its own they are a week.
pub const DAYS_BEFORE: usize = 6;

/// What the days before the row's day sent, by action; the first is the day before.
pub type SentBefore = [[i32; DAYS_BEFORE]; ACTIONS];

/// What the journal says of a row that has not counted it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recalled {
    /// Slots taken on each of the six days before the row's own.
    pub sent_before: SentBefore,
    /// Grants on the row's day whose outcome is not `released`.
    pub attempts_today: [i32; ACTIONS],
}

/// An account's own caps for one action; `None` = the tier's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapOverride {
    /// Slots a UTC day.
    pub daily: Option<i32>,
    /// Slots in seven UTC days, today included.
    pub weekly: Option<i32>,
}

/// An account's own pace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Least time between two grants of the account, whatever the action, in microseconds, up to 31 days.
    pub minimum_gap: i64,
    /// By how much of itself that gap may be longer, in percent, 0–100.
    pub jitter_percent: i32,
    /// Whether the day's slots are spread over the time in which the account may send.
    pub spread: bool,
}

impl Pace {
    /// Whether there is any. Such an account is handed out one slot at a time.
    pub fn is_set(&self) -> bool {
        self.minimum_gap > 0 || self.spread
    }
}

/// One account as one row holds it: everything that a decision about it reads or changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Whether the account may be used.
    pub status: Status,
    /// UTC day that the daily counters belong to; never goes back by itself.
    pub day: Day,
    /// Slots taken on `day`, by action.
    pub sent_today: [i32; ACTIONS],
    /// Slots taken on each of the six days before `day`; none until they are counted from the journal, together with
    /// the attempts of `day` ([`Account::recall`]).
    pub sent_before: Option<SentBefore>,
    /// Grants on `day` that did not come back as `released`, by action, whatever became of them.
    pub attempts_today: [i32; ACTIONS],
    /// Highest effective InMail cap that was in force on `day`; the audit measures against it.
    pub inmail_cap_today: i32,
    /// Whether the ramp limits the account.
    pub ramp: bool,
    /// UTC days before `day` on which the account sent anything since the ramp was switched on.
    pub ramp_days: i32,
    /// The last grant of each action, or the last send of it outside the gate: a pace keeps its distance from both,
    /// because both are seen by the provider.
    pub last_granted_at: [Option<Instant>; ACTIONS],
    /// The account's own caps, over its tier's.
    pub caps: [CapOverride; ACTIONS],
    /// Until when the account cools down.
    pub cooldown_until: Option<Instant>,
    /// Until when single actions cool down, failures in a row aside.
    pub action_cooldown_until: [Option<Instant>; ACTIONS],
    /// Failures in a row, by action.
    pub failures: [Failures; ACTIONS],
    /// The account's own pace.
    pub pace: Pace,
    /// Day of the month (1–31) on which a credit period starts.
    pub credit_reset_day: u8,
    /// The InMail breaker.
    pub breaker: Breaker,
    /// When the account may send, in its own time zone; none = always.
    pub window: Option<Window>,
    /// InMail credits that are known; none = no balance is counted.
    pub credits: Option<Credits>,
    /// When `credit_reset_day` was last changed.
    pub credit_reset_changed_at: Option<Instant>,
}

impl Account {
    /// The row as of `now`: older counters read as 0, the ramp has moved on. A row whose day is
    /// ahead of the clock goes on counting on its own day.
    pub fn roll(&mut self, now: Instant) {
        let today = now.day();
        if today <= self.day {
            return;
        }
        if self.ramp && self.sent_today.iter().any(|&sent| sent > 0) {
            self.ramp_days = self.ramp_days.saturating_add(1);
        }
        if let Some(before) = &mut self.sent_before {
            let gone = today.0.saturating_sub(self.day.0) as usize;
            for (days, sent) in before.iter_mut().zip(self.sent_today) {
                *days = shifted(*days, sent, gone);
            }
        }
        self.sent_today = [0; ACTIONS];
        self.attempts_today = [0; ACTIONS];
        self.inmail_cap_today = 0;
        self.day = today;
    }

    /// The same, as a copy.
    pub fn rolled(&self, now: Instant) -> Account {
        let mut account = self.clone();
        account.roll(now);
        account
    }

    /// Whether the row's day ran ahead of the clock.
    pub fn is_ahead_of(&self, now: Instant) -> bool {
        self.day > now.day()
    }

    /// Slots of an action taken in the seven days that end with the row's day; none until the days
    /// before it are counted.
    pub fn sent_in_seven_days(&self, action: Action) -> Option<i32> {
        let i = action.index();
        let before = self.sent_before.as_ref()?[i];
        Some(before.iter().fold(self.sent_today[i], |sum, &sent| sum.saturating_add(sent)))
    }

    /// The last grant of any action, or the last send outside the gate.
    pub fn last_grant(&self) -> Option<Instant> {
        self.last_granted_at.iter().copied().max().flatten()
    }

    /// Takes in what the journal says of a row that has not counted it, because it was upgraded or restored.
    pub fn recall(&mut self, journal: &Recalled) {
        self.sent_before = Some(journal.sent_before);
        self.attempts_today = journal.attempts_today;
    }

    /// Counts one slot and one attempt on the row's own day.
    pub fn take_slot(&mut self, action: Action) {
        let i = action.index();
        self.sent_today[i] = self.sent_today[i].saturating_add(1);
        self.attempts_today[i] = self.attempts_today[i].saturating_add(1);
    }

    /// Gives a slot back on the day it was counted on, where that is one of the last seven; never
    /// below zero.
    pub fn give_back_slot(&mut self, action: Action, counted_on: Day) {
        if let Some(sent) = self.sent_on(action, counted_on) {
            *sent = (*sent - 1).max(0);
        }
    }

    /// Counts a slot on the day it belongs to, where that is one of the last seven, even above the cap:
    /// the truth wins.
    pub fn take_back_slot(&mut self, action: Action, counted_on: Day) {
        if let Some(sent) = self.sent_on(action, counted_on) {
            *sent = sent.saturating_add(1);
        }
    }

    /// The counter of a day; none for a day that the row does not hold, or has not counted yet: then
    /// the journal says it when it is counted.
    fn sent_on(&mut self, action: Action, day: Day) -> Option<&mut i32> {
        let ago = self.day.0.checked_sub(day.0)?;
        match usize::try_from(ago).ok()? {
            0 => Some(&mut self.sent_today[action.index()]),
            ago => self.sent_before.as_mut()?[action.index()].get_mut(ago - 1),
        }
    }

    /// Gives an attempt back: a worker says that it never called the provider. On its own day, if the
    /// row is still on it.
    pub fn give_back_attempt(&mut self, action: Action, counted_on: Day) {
        if counted_on == self.day {
            let attempts = &mut self.attempts_today[action.index()];
            *attempts = (*attempts - 1).max(0);
        }
    }

    /// Counts an attempt again that was said never to have been made.
    pub fn take_back_attempt(&mut self, action: Action, counted_on: Day) {
        if counted_on == self.day {
            let attempts = &mut self.attempts_today[action.index()];
            *attempts = attempts.saturating_add(1);
        }
    }

    /// Gives the account another status. A ramp starts afresh when the account leaves `restricted`.
    pub fn set_status(&mut self, status: Status) {
        if self.status == Status::Restricted && status != Status::Restricted && self.ramp {
            self.ramp_days = 0;
        }
        self.status = status;
    }

    /// Prolongs the cooldown to `until`; never shortens one.
    pub fn cool_down(&mut self, until: Instant) {
        self.cooldown_until = self.cooldown_until.max(Some(until));
    }

    /// Prolongs the cooldown of one action to `until`; never shortens one.
    pub fn cool_down_action(&mut self, action: Action, until: Instant) {
        let old = &mut self.action_cooldown_until[action.index()];
        *old = (*old).max(Some(until));
    }

    /// Ends cooldowns, and failures in a row start again at 0: of one action, or of the account and all
    /// its actions. Says whether there was anything to end.
    pub fn clear_cooldowns(&mut self, action: Option<Action>) -> bool {
        let before = (self.cooldown_until, self.action_cooldown_until, self.failures);
        for &one in Action::ALL {
            if action.is_none_or(|only| only == one) {
                self.action_cooldown_until[one.index()] = None;
                self.failures[one.index()] = Failures::default();
            }
        }
        if action.is_none() {
            self.cooldown_until = None;
        }
        before != (self.cooldown_until, self.action_cooldown_until, self.failures)
    }

    /// When the account's credit periods start.
    pub fn calendar(&self) -> Calendar {
        Calendar { reset_day: self.credit_reset_day, changed_at: self.credit_reset_changed_at }
    }

    /// The start of the credit period that the known credits have to be carried over next, if there is one:
    /// the caller counts the InMails that were unanswered then, passes both to
    /// [`Account::begin_credit_period`], and asks again.
    pub fn credits_due(&self, now: Instant) -> Option<Instant> {
        self.credits.as_ref()?.due(&self.calendar(), now)
    }

    /// Carries the known credits over the start of a period.
    pub fn begin_credit_period(&mut self, start: Instant, unanswered: Unanswered, allowance: Allowance) {
        let calendar = self.calendar();
        self.credits =
            self.credits.and_then(|credits| credits.begin_period(start, unanswered, allowance, &calendar));
    }

    /// Whether the stamp of this credit period is our own and stands no longer, because credits are left or
    /// are not counted any more. A stamp of an earlier period goes as such.
    pub fn balance_lets_go(&self, now: Instant) -> bool {
        let period = credit_period_start(self.credit_reset_day, now);
        let stamped = self.breaker.exhausted_at.is_some_and(|stamp| stamp >= period);
        stamped && !self.breaker.cause.stands(self.credits.as_ref())
    }

    /// Forgets what lies ahead of the clock after it was put back: last grants, failures in a row, and a
    /// balance.
    pub fn forget_what_lies_ahead(&mut self, now: Instant) {
        self.credits = self.credits.filter(|credits| !credits.is_ahead_of(now));
        for last in &mut self.last_granted_at {
            *last = last.filter(|&at| at <= now);
        }
        for failures in &mut self.failures {
            match &mut failures.failing {
                Some(failing) if failing.since > now => *failures = Failures::default(),
                // It fails, and an attempt from ahead moved the end: no silence is longer than this.
                Some(failing) => failing.until = failing.until.min(now.plus(FAILING_MAX)),
                None => {}
            }
        }
    }
}

/// The days before, once `gone` days have passed since one that sent so much.
fn shifted(days: [i32; DAYS_BEFORE], sent: i32, gone: usize) -> [i32; DAYS_BEFORE] {
    std::array::from_fn(|ago| match (ago + 1).cmp(&gone) {
        std::cmp::Ordering::Less => 0,
        std::cmp::Ordering::Equal => sent,
        std::cmp::Ordering::Greater => days[ago - gone],
    })
}

#[cfg(test)]
pub(crate) mod fixture {
    use super::*;

    /// A connected account on 2026-05-24 (a Sunday) with nothing sent.
    pub(crate) fn account() -> Account {
        let day = Day::from_civil(2026, 5, 24);
        Account {
            status: Status::Connected,
            day,
            sent_today: [0; ACTIONS],
            sent_before: Some([[0; DAYS_BEFORE]; ACTIONS]),
            attempts_today: [0; ACTIONS],
            inmail_cap_today: 0,
            ramp: false,
            ramp_days: 0,
            last_granted_at: [None; ACTIONS],
            caps: [CapOverride::default(); ACTIONS],
            cooldown_until: None,
            action_cooldown_until: [None; ACTIONS],
            failures: [Failures::default(); ACTIONS],
            pace: Pace::default(),
            credit_reset_day: 1,
            breaker: Breaker::default(),
            window: None,
            credits: None,
            credit_reset_changed_at: None,
        }
    }
}

#[cfg(test)]
mod tests;
