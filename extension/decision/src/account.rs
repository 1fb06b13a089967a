//! The account row as a value: counters with their markers, caps, breaker, window.

use crate::breaker::Breaker;
use crate::clock::{Day, Instant};
use crate::names::{ACTIONS, Action, Status};
use crate::window::Window;

/// An account's own caps for one action; `None` = the tier's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapOverride {
    /// Slots a UTC day.
    pub daily: Option<i32>,
    /// Slots a UTC week.
    pub weekly: Option<i32>,
}

/// One account as one row holds it: everything that a decision about it reads or changes.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// Whether the account may be used.
    pub status: Status,
    /// UTC day that the daily counters belong to; never goes back by itself.
    pub day: Day,
    /// Monday of the UTC week that the weekly counters belong to; never goes back by itself.
    pub week: Day,
    /// Slots taken on `day`, by action.
    pub sent_today: [i32; ACTIONS],
    /// Slots taken in `week`, by action.
    pub sent_this_week: [i32; ACTIONS],
    /// Highest effective InMail cap that was in force on `day`; the audit measures against it.
    pub inmail_cap_today: i32,
    /// Whether the ramp limits the account.
    pub ramp: bool,
    /// UTC days before `day` on which the account sent anything since the ramp was switched on.
    pub ramp_days: i32,
    /// The last grant of each action, for the minimum gap.
    pub last_granted_at: [Option<Instant>; ACTIONS],
    /// The account's own caps, over its tier's.
    pub caps: [CapOverride; ACTIONS],
    /// Until when the account cools down.
    pub cooldown_until: Option<Instant>,
    /// Day of the month (1–31) on which a credit period starts.
    pub credit_reset_day: u8,
    /// The InMail breaker.
    pub breaker: Breaker,
    /// When the account may send, in its own time zone; none = always.
    pub window: Option<Window>,
}

impl Account {
    /// The row as of `now`: older counters read as 0, the ramp has moved on. A row whose day is
    /// ahead of the clock goes on counting on its own day.
    pub fn roll(&mut self, now: Instant) {
        let today = now.day();
        if today > self.day {
            if self.ramp && self.sent_today.iter().any(|&sent| sent > 0) {
                self.ramp_days = self.ramp_days.saturating_add(1);
            }
            self.sent_today = [0; ACTIONS];
            self.inmail_cap_today = 0;
            self.day = today;
        }
        if today.week() > self.week {
            self.sent_this_week = [0; ACTIONS];
            self.week = today.week();
        }
    }

    /// The same, as a copy.
    pub fn rolled(&self, now: Instant) -> Account {
        let mut account = self.clone();
        account.roll(now);
        account
    }

    /// Whether the row's day ran ahead of the clock.
    pub fn is_ahead_of(&self, now: Instant) -> bool {
        self.day > now.day() || self.week > now.day().week()
    }

    /// Counts one slot on the row's own day and week.
    pub fn take_slot(&mut self, action: Action) {
        let i = action.index();
        self.sent_today[i] = self.sent_today[i].saturating_add(1);
        self.sent_this_week[i] = self.sent_this_week[i].saturating_add(1);
    }

    /// Gives a slot back on the day and week it was counted on, where those are still current;
    /// never below zero.
    pub fn give_back_slot(&mut self, action: Action, counted_on: Day) {
        let i = action.index();
        if counted_on == self.day {
            self.sent_today[i] = (self.sent_today[i] - 1).max(0);
        }
        if counted_on.week() == self.week {
            self.sent_this_week[i] = (self.sent_this_week[i] - 1).max(0);
        }
    }

    /// Counts a slot again on the day and week it was first counted on, where those are still
    /// current, even above the cap: the truth wins.
    pub fn take_back_slot(&mut self, action: Action, counted_on: Day) {
        let i = action.index();
        if counted_on == self.day {
            self.sent_today[i] = self.sent_today[i].saturating_add(1);
        }
        if counted_on.week() == self.week {
            self.sent_this_week[i] = self.sent_this_week[i].saturating_add(1);
        }
    }

    /// Prolongs the cooldown to `until`; never shortens one.
    pub fn cool_down(&mut self, until: Instant) {
        self.cooldown_until = Some(self.cooldown_until.map_or(until, |old| old.max(until)));
    }
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
            week: day.week(),
            sent_today: [0; ACTIONS],
            sent_this_week: [0; ACTIONS],
            inmail_cap_today: 0,
            ramp: false,
            ramp_days: 0,
            last_granted_at: [None; ACTIONS],
            caps: [CapOverride::default(); ACTIONS],
            cooldown_until: None,
            credit_reset_day: 1,
            breaker: Breaker::default(),
            window: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::account;
    use super::*;
    use crate::clock::{DAY, HOUR};

    #[test]
    fn midnight_rolls_counters_marker_and_ramp_together() {
        let mut a = account();
        a.ramp = true;
        a.take_slot(Action::Invite);
        let last_instant = a.day.next().start().plus(-1);
        assert_eq!(a.rolled(last_instant), a);
        // 2026-05-25 is a Monday: the week rolls too.
        let midnight = a.rolled(a.day.next().start());
        assert_eq!(midnight.sent_today, [0; ACTIONS]);
        assert_eq!(midnight.sent_this_week, [0; ACTIONS]);
        assert_eq!(midnight.ramp_days, 1);
        assert_eq!(
            midnight.rolled(midnight.day.next().start()).ramp_days,
            1,
            "a day without a send is no step"
        );
    }

    #[test]
    fn markers_never_go_back() {
        let mut a = account();
        a.take_slot(Action::Inmail);
        let yesterday = a.day.start().plus(-HOUR);
        assert!(a.is_ahead_of(yesterday));
        assert_eq!(a.rolled(yesterday), a);
    }

    #[test]
    fn a_slot_goes_back_to_the_day_it_came_from() {
        let mut a = account();
        let sunday = a.day;
        a.take_slot(Action::Inmail);
        a.roll(a.day.start().plus(DAY));
        a.take_slot(Action::Inmail);
        a.give_back_slot(Action::Inmail, sunday);
        assert_eq!((a.sent_today[0], a.sent_this_week[0]), (1, 1), "another day, another week");
        a.roll(a.day.start().plus(DAY));
        a.give_back_slot(Action::Inmail, sunday.next());
        assert_eq!((a.sent_today[0], a.sent_this_week[0]), (0, 0), "another day, the same week");
        a.give_back_slot(Action::Inmail, a.day);
        assert_eq!((a.sent_today[0], a.sent_this_week[0]), (0, 0), "never below zero");
    }

    #[test]
    fn a_cooldown_is_never_shortened() {
        let mut a = account();
        a.cool_down(Instant(100));
        a.cool_down(Instant(50));
        assert_eq!(a.cooldown_until, Some(Instant(100)));
    }
}
