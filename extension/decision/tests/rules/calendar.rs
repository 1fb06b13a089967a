//! The crate's instants as `chrono` knows them, and real time zones as the crate wants them.

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use proptest::prelude::*;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::window::{Segment, Window, Zone};

/// How far a zone looks ahead for its next change, in hours. Further on another offset *may* begin,
/// which is all that a segment promises.
const LOOK_AHEAD_HOURS: i64 = 40 * 24;

fn epoch() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2000, 1, 1, 0, 0, 0).unwrap()
}

pub fn utc(at: Instant) -> DateTime<Utc> {
    epoch() + TimeDelta::microseconds(at.0)
}

pub fn instant(at: DateTime<Utc>) -> Instant {
    Instant((at - epoch()).num_microseconds().unwrap())
}

pub fn day(date: NaiveDate) -> Day {
    Day((date - epoch().date_naive()).num_days() as i32)
}

/// 00:00 UTC on this date.
pub fn midnight(date: NaiveDate) -> DateTime<Utc> {
    date.and_hms_opt(0, 0, 0).unwrap().and_utc()
}

/// The first date after this one that is such.
pub fn next_date(date: NaiveDate, such: impl Fn(NaiveDate) -> bool) -> NaiveDate {
    date.iter_days().skip(1).find(|&date| such(date)).unwrap()
}

/// The last date, this one included, that is such.
pub fn last_date(date: NaiveDate, such: impl Fn(NaiveDate) -> bool) -> NaiveDate {
    (0..).map(|back| date - Days::new(back)).find(|&date| such(date)).unwrap()
}

/// Local time minus UTC as the IANA database has it.
pub fn offset_seconds(zone: Tz, at: DateTime<Utc>) -> i32 {
    zone.offset_from_utc_datetime(&at.naive_utc()).fix().local_minus_utc()
}

/// The first minute from `from` on, before `to`, at which the zone's offset is a new one.
pub fn next_change(zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let offset = offset_seconds(zone, from);
    let (hour, minute) = (TimeDelta::hours(1), TimeDelta::minutes(1));
    let mut at = from;
    while offset_seconds(zone, at + hour) == offset {
        at += hour;
        if at >= to {
            return None;
        }
    }
    // No change lies between whole minutes; a probe may.
    at = at.with_second(0).unwrap().with_nanosecond(0).unwrap();
    while offset_seconds(zone, at) == offset {
        at += minute;
    }
    (at < to).then_some(at)
}

/// A zone of the IANA database, found out by asking for one offset after the other.
pub struct Probed(pub Tz);

impl Zone for Probed {
    fn segment(&self, at: Instant) -> Segment {
        let (from, to) = (utc(at), utc(at) + TimeDelta::hours(LOOK_AHEAD_HOURS));
        Segment {
            offset_seconds: offset_seconds(self.0, from),
            until: instant(next_change(self.0, from, to).unwrap_or(to)),
        }
    }
}

/// What a clock on the wall shows.
#[derive(Clone, Copy, Debug)]
pub struct Wall {
    pub weekday: Weekday,
    pub minute: u32,
}

pub fn wall(zone: Tz, at: DateTime<Utc>) -> Wall {
    let local = at.with_timezone(&zone);
    Wall { weekday: local.weekday(), minute: local.hour() * 60 + local.minute() }
}

/// A sending window as people say it: from then, for so long, on these days (bit 0 = Monday).
#[derive(Clone, Copy, Debug)]
pub struct Hours {
    pub start: u32,
    pub length: u32,
    pub days: u8,
    /// Whether an end at midnight is written 24:00 or 00:00.
    pub ends_at_24: bool,
}

impl Hours {
    /// Whether the time on the wall is inside. Past midnight it is the day before that counts.
    pub fn inside(&self, wall: Wall) -> bool {
        let on = |day: Weekday| self.days >> day.num_days_from_monday() & 1 == 1;
        let end = self.start + self.length;
        let today = on(wall.weekday) && (self.start..end).contains(&wall.minute);
        today || (on(wall.weekday.pred()) && (self.start..end).contains(&(wall.minute + 24 * 60)))
    }

    pub fn window(&self) -> Window {
        let minute = 60_000_000;
        let end = match self.start + self.length {
            1440 if self.ends_at_24 || self.start == 0 => 1440,
            end => end % 1440,
        };
        Window::new(i64::from(self.start) * minute, i64::from(end) * minute, self.days).unwrap()
    }
}

/// Windows of every length, on every set of days; every other one on a single day, because then the
/// next opening is a week away.
pub fn hours() -> impl Strategy<Value = Hours> {
    let length = prop_oneof![1u32..120, 1u32..1440];
    let days = prop_oneof![(0u32..7).prop_map(|day| 1u8 << day), 1u8..128];
    (0u32..1440, length, days, any::<bool>()).prop_map(|(start, length, days, ends_at_24)| Hours {
        start,
        length,
        days,
        ends_at_24,
    })
}
