//! How long the credits last: the view `credits` and the alert `credits_low`.

use super::{Allowance, Calendar, Credits};
use crate::clock::{DAY, Instant};

/// Days that the pace is measured over: the last UTC days, today included.
pub const PACE_DAYS: i32 = 7;

/// What the view says in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No balance is counted.
    Untracked,
    /// They last until the next grant.
    Ok,
    /// At this pace they do not.
    Low,
    /// None are left.
    Exhausted,
}

impl State {
    /// Its spelling in the view.
    pub const fn name(self) -> &'static str {
        match self {
            State::Untracked => "untracked",
            State::Ok => "ok",
            State::Low => "low",
            State::Exhausted => "exhausted",
        }
    }
}

/// What can be said ahead.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// In one word.
    pub state: State,
    /// InMails a day, over [`PACE_DAYS`].
    pub used_per_day: f64,
    /// Start of the next credit period that grants something; none for a tier that grants nothing.
    pub next_grant_at: Option<Instant>,
    /// What it would add to what is left now; a whole month's credits where nothing is counted.
    pub next_grant: Option<i32>,
    /// When they are used up at this pace; none = not before the next period, or nothing is counted.
    pub lasts_until: Option<Instant>,
    /// Whether to warn the operators, once a period: the account sends, and its credits will not last.
    pub warns: bool,
}

/// Looks ahead from `now`. `credits` are rolled to it; `used` InMails were delivered or are
/// unanswered of the last [`PACE_DAYS`] days.
pub fn forecast(
    credits: Option<&Credits>,
    used: i32,
    allowance: Allowance,
    calendar: &Calendar,
    now: Instant,
) -> Forecast {
    let period_end = calendar.next_start(now);
    let monthly = allowance.monthly.filter(|&monthly| monthly > 0);
    let next_grant = monthly.map(|monthly| {
        credits.map_or(monthly, |c| allowance.granted(monthly, c.left).saturating_sub(c.left))
    });
    let lasts_until = credits.and_then(|c| used_up_at(c.shown(), used, now)).filter(|&at| at < period_end);
    let state = match credits {
        None => State::Untracked,
        Some(c) if c.left <= 0 => State::Exhausted,
        Some(_) if lasts_until.is_some() => State::Low,
        Some(_) => State::Ok,
    };
    Forecast {
        state,
        used_per_day: f64::from(used) / f64::from(PACE_DAYS),
        next_grant_at: monthly.map(|_| period_end),
        next_grant,
        lasts_until,
        warns: used > 0 && matches!(state, State::Low | State::Exhausted),
    }
}

/// When so many are used up at this pace; none if never.
fn used_up_at(left: i32, used: i32, now: Instant) -> Option<Instant> {
    if left == 0 {
        return Some(now);
    }
    let per_credit = (i64::from(PACE_DAYS) * DAY).checked_div(i64::from(used.max(0)))?;
    Some(now.plus(i64::from(left).saturating_mul(per_credit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Day;

    const TIER: Allowance = Allowance { monthly: Some(50), ceiling: Some(150) };
    const FIRST: Calendar = Calendar { reset_day: 1, changed_at: None };

    fn may(day: u8) -> Instant {
        Day::from_civil(2026, 5, day).start()
    }

    fn known(left: i32) -> Credits {
        Credits { left, base: left, since: may(1), observed_at: may(1), spent_at: None }
    }

    #[test]
    fn they_last_or_they_do_not() {
        let june = Day::from_civil(2026, 6, 1).start();
        let at = |left, used| forecast(Some(&known(left)), used, TIER, &FIRST, may(25));
        // Two a day, a week to go.
        assert_eq!((at(14, 14).state, at(14, 14).lasts_until), (State::Ok, None), "to the last instant");
        assert_eq!((at(13, 14).state, at(13, 14).warns), (State::Low, true));
        assert_eq!(at(12, 14).lasts_until, Some(may(31)));
        assert_eq!((at(1, 0).state, at(1, 0).lasts_until), (State::Ok, None), "an account that rests");
        assert_eq!((at(0, 1).state, at(-2, 1).lasts_until), (State::Exhausted, Some(may(25))));
        assert!(at(0, 1).warns && !at(0, 0).warns, "nothing is missed where nothing is sent");
        assert_eq!((at(12, 14).next_grant_at, at(12, 14).used_per_day), (Some(june), 2.0));
    }

    #[test]
    fn the_next_grant_is_what_fits_under_the_ceiling() {
        let grant = |left| forecast(Some(&known(left)), 0, TIER, &FIRST, may(25)).next_grant;
        assert_eq!([-3, 0, 100, 120, 150, 900].map(grant), [50, 50, 50, 30, 0, 0].map(Some));
        for monthly in [None, Some(0)] {
            let none = Allowance { monthly, ceiling: Some(0) };
            let ahead = forecast(Some(&known(3)), 7, none, &FIRST, may(25));
            assert_eq!((ahead.next_grant, ahead.next_grant_at), (None, None));
            assert_eq!(ahead.lasts_until, Some(may(28)));
        }
    }

    #[test]
    fn of_what_is_not_counted_only_the_grant_is_known() {
        let ahead = forecast(None, 70, TIER, &FIRST, may(25));
        assert_eq!((ahead.state, ahead.lasts_until, ahead.warns), (State::Untracked, None, false));
        assert_eq!(ahead.next_grant, Some(50));
    }
}
