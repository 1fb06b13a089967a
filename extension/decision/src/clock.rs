//! Instants, UTC days, UTC weeks and credit periods.
//!
//! Numbers are PostgreSQL's own (`timestamptz` and `date` count from 2000-01-01 UTC), so that
//! nothing is converted on the way in or out. The Gregorian calendar is `chrono`'s; a day outside its
//! range (262,143 years before or after year 0) has the civil date of the nearest day inside.

use chrono::{Datelike, Months, NaiveDate};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds in a minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds in an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds in a UTC day (UTC as PostgreSQL counts it: no leap seconds).
pub const DAY: i64 = 24 * HOUR;

/// An instant: microseconds since 2000-01-01 00:00 UTC, as in `timestamptz`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(pub i64);

/// A UTC day: days since 2000-01-01, as in `date`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i32);

impl Instant {
    /// The last instant that can be told apart; stands for "no end in sight".
    pub const MAX: Instant = Instant(i64::MAX - 1);

    /// This instant moved by `micros` microseconds; saturates instead of overflowing.
    pub fn plus(self, micros: i64) -> Instant {
        Instant(self.0.saturating_add(micros))
    }

    /// The UTC day that this instant lies in.
    pub fn day(self) -> Day {
        Day(i32::try_from(self.0.div_euclid(DAY)).unwrap_or(if self.0 < 0 { i32::MIN } else { i32::MAX }))
    }
}

impl Day {
    /// The first instant of the day; saturates, because a `date` reaches further than an instant.
    pub fn start(self) -> Instant {
        Instant(i64::from(self.0).saturating_mul(DAY))
    }

    /// The day after.
    pub fn next(self) -> Day {
        Day(self.0.saturating_add(1))
    }

    /// The Monday of the ISO week that this day lies in. 2000-01-01 was a Saturday.
    pub fn week(self) -> Day {
        Day(self.0 - (self.0.wrapping_add(5)).rem_euclid(7))
    }

    /// ISO day of the week, 1 = Monday … 7 = Sunday.
    pub fn iso_weekday(self) -> u8 {
        (self.0.wrapping_add(5).rem_euclid(7) + 1) as u8
    }

    /// The day with this civil date; `None` where the calendar has no such date.
    pub fn from_civil_opt(year: i32, month: u8, day: u8) -> Option<Day> {
        NaiveDate::from_ymd_opt(year, month.into(), day.into()).map(Day::of)
    }

    /// The day with this civil date, which must exist: for dates that the code names itself.
    pub fn from_civil(year: i32, month: u8, day: u8) -> Day {
        Day::from_civil_opt(year, month, day).expect("the calendar has this date")
    }

    /// Civil date as (year, month 1–12, day 1–31).
    pub fn civil(self) -> (i32, u8, u8) {
        let date = self.date();
        (date.year(), date.month() as u8, date.day() as u8)
    }

    fn of(date: NaiveDate) -> Day {
        Day(date.to_epoch_days() - DAYS_1970_TO_2000)
    }

    fn date(self) -> NaiveDate {
        let nearest = if self.0 < 0 { NaiveDate::MIN } else { NaiveDate::MAX };
        NaiveDate::from_epoch_days(self.0.saturating_add(DAYS_1970_TO_2000)).unwrap_or(nearest)
    }
}

const DAYS_1970_TO_2000: i32 = 10_957;

/// The start of the day on which the credits of this date's month arrive: `reset_day` (1–31), or the
/// month's last day where the month is too short.
fn reset_in_month(date: NaiveDate, reset_day: u8) -> Instant {
    let day = reset_day.min(date.num_days_in_month());
    Day::of(date.with_day(day.into()).unwrap_or(date)).start()
}

/// The start of the credit period that `at` lies in: 00:00 UTC on the last reset day. The calendar's
/// first period has begun since ever.
pub fn credit_period_start(reset_day: u8, at: Instant) -> Instant {
    let today = at.day().date();
    let this_month = reset_in_month(today, reset_day);
    if this_month <= at {
        return this_month;
    }
    let last_month = today.checked_sub_months(Months::new(1));
    last_month.map_or(Instant(i64::MIN), |date| reset_in_month(date, reset_day))
}

/// The start of the credit period after the one that `at` lies in; [`Instant::MAX`] after the
/// calendar's last.
pub fn next_credit_period(reset_day: u8, at: Instant) -> Instant {
    let today = at.day().date();
    let this_month = reset_in_month(today, reset_day);
    if this_month > at {
        return this_month;
    }
    let next_month = today.checked_add_months(Months::new(1));
    next_month.map_or(Instant::MAX, |date| reset_in_month(date, reset_day))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(year: i32, month: u8, day: u8, hour: i64) -> Instant {
        Day::from_civil(year, month, day).start().plus(hour * HOUR)
    }

    #[test]
    fn known_days() {
        assert_eq!(Day::from_civil(2000, 1, 1), Day(0));
        assert_eq!(Day::from_civil(2026, 11, 22).iso_weekday(), 7);
        assert_eq!(Day::from_civil(2026, 11, 22).week(), Day::from_civil(2026, 11, 16));
        assert_eq!(Day::from_civil(1999, 12, 27).week(), Day::from_civil(1999, 12, 27));
        assert_eq!(Instant(-1).day(), Day(-1));
    }

    #[test]
    fn period_of_the_seeds_is_the_calendar_month() {
        assert_eq!(credit_period_start(1, at(2026, 5, 24, 9)), at(2026, 5, 1, 0));
        assert_eq!(next_credit_period(1, at(2026, 5, 31, 23)), at(2026, 6, 1, 0));
        assert_eq!(credit_period_start(1, at(2026, 6, 1, 0)), at(2026, 6, 1, 0));
    }

    #[test]
    fn a_month_too_short_uses_its_last_day() {
        assert_eq!(next_credit_period(31, at(2026, 1, 31, 0)), at(2026, 2, 28, 0));
        assert_eq!(next_credit_period(31, at(2028, 2, 1, 0)), at(2028, 2, 29, 0));
        assert_eq!(next_credit_period(31, at(2026, 2, 28, 0)), at(2026, 3, 31, 0));
        assert_eq!(credit_period_start(30, at(2026, 3, 1, 0)), at(2026, 2, 28, 0));
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        for (year, month, day) in [(2026, 2, 29), (2100, 2, 29), (2026, 0, 1), (2026, 13, 1), (2026, 4, 31)] {
            assert_eq!(Day::from_civil_opt(year, month, day), None, "{year}-{month}-{day}");
        }
        assert_eq!(Day::from_civil_opt(2000, 2, 29), Some(Day(59)));
    }

    #[test]
    fn days_beyond_the_calendar_saturate() {
        // PostgreSQL's first and last date, and the first and last number.
        assert_eq!(Day(-2_451_545).civil(), (-4713, 11, 24));
        for far in [2_145_031_948, i32::MAX] {
            assert_eq!(Day(far).civil(), (262_142, 12, 31));
            assert_eq!(Day(far).start(), Instant(i64::MAX));
        }
        assert_eq!(Day(i32::MIN).civil(), (-262_143, 1, 1));
        for reset in 1..=31 {
            for far in [Instant(i64::MIN), Instant(-(1 << 62)), Instant(1 << 62), Instant::MAX.plus(-1)] {
                let (start, next) = (credit_period_start(reset, far), next_credit_period(reset, far));
                assert!(start <= far && far < next, "{reset} {far:?}: {start:?} {next:?}");
            }
        }
    }

    /// Days since 2000-01-01 by the proleptic Gregorian calendar, years begun in March.
    fn days_by_hand(year: i32, month: u8, day: u8) -> i32 {
        let y = i64::from(year) - i64::from(month <= 2);
        let year_of_era = y.rem_euclid(400);
        let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        (y.div_euclid(400) * 146_097 + day_of_era - 730_425) as i32
    }

    fn civil_by_hand(day: i32) -> (i32, u8, u8) {
        let z = i64::from(day) + 730_425;
        let day_of_era = z.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + z.div_euclid(146_097) * 400 + i64::from(month <= 2);
        (year as i32, month as u8, day as u8)
    }

    proptest! {
        /// All of PostgreSQL's instants, which end in the year 294276: beyond `chrono`'s dates.
        #[test]
        fn dates_are_as_counted_by_hand(day in prop_oneof![-400_000i32..400_000, -2_451_545i32..95_015_279]) {
            let (y, m, d) = Day(day).civil();
            prop_assert_eq!((y, m, d), civil_by_hand(day));
            prop_assert_eq!(Day::from_civil(y, m, d), Day(day));
            prop_assert_eq!(days_by_hand(y, m, d), day);
        }

        #[test]
        fn a_week_is_seven_days_from_monday(day in -400_000i32..400_000) {
            let week = Day(day).week();
            prop_assert_eq!(week.iso_weekday(), 1);
            prop_assert!((0..7).contains(&(day - week.0)));
        }

        #[test]
        fn periods_tile_the_time_line(reset in 1u8..=31, micros in -(30i64 * 365 * DAY)..(60 * 365 * DAY)) {
            let now = Instant(micros);
            let (start, next) = (credit_period_start(reset, now), next_credit_period(reset, now));
            prop_assert!(start <= now && now < next);
            prop_assert_eq!(credit_period_start(reset, next), next);
            prop_assert_eq!(next_credit_period(reset, start), next);
            prop_assert!((28 * DAY..=31 * DAY).contains(&(next.0 - start.0)));
        }
    }
}
