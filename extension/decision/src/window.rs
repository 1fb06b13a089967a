//! Sending windows: local wall-clock time, over midnight and across daylight-saving changes.

use crate::clock::{DAY, Day, Instant, SECOND};

/// The most steps a search for the next opening or closing takes: two boundaries a day for nine
/// days, and room for changes of offset between them.
const SEARCH_STEPS_MAX: usize = 64;

/// How many days [`Window::since`] looks back: longer than any window stays closed.
const SINCE_DAYS: i64 = 9;

/// A time zone, as far as a window needs one.
pub trait Zone {
    /// The offset in force at `at`, and until when.
    fn segment(&self, at: Instant) -> Segment;
}

/// A stretch of time with one offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Local time minus UTC, in seconds.
    pub offset_seconds: i32,
    /// The instant at which another offset may begin.
    pub until: Instant,
}

/// UTC, for accounts without a zone of their own and for tests.
pub struct Utc;

impl Zone for Utc {
    fn segment(&self, _at: Instant) -> Segment {
        Segment { offset_seconds: 0, until: Instant::MAX }
    }
}

/// When an account may send. A window past midnight belongs to the day on which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    start: i64,
    end: i64,
    days: u8,
}

/// Why a window cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Impossible {
    /// A time outside 00:00–24:00, or a start at 24:00.
    TimeOutOfRange,
    /// Start and end are the same: neither never nor always.
    Empty,
    /// No day, or a day that is not 1–7.
    Days,
}

/// Whether a window is open, and until when that stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowReading {
    /// Whether sending is allowed.
    pub open: bool,
    /// The first instant at which that changes.
    pub until: Instant,
}

impl Window {
    /// A window from `start` to `end` (microseconds after local midnight, the end not included) on
    /// the ISO weekdays in `days` (bit 0 = Monday).
    ///
    /// # Errors
    /// [`Impossible`] says which of the three cannot be.
    pub fn new(start: i64, end: i64, days: u8) -> Result<Window, Impossible> {
        if !(0..DAY).contains(&start) || !(0..=DAY).contains(&end) {
            return Err(Impossible::TimeOutOfRange);
        }
        if start == end {
            return Err(Impossible::Empty);
        }
        if days == 0 || days > 0b111_1111 {
            return Err(Impossible::Days);
        }
        Ok(Window { start, end, days })
    }

    /// Start and end in microseconds after local midnight, and the weekdays (bit 0 = Monday).
    pub fn parts(&self) -> (i64, i64, u8) {
        (self.start, self.end, self.days)
    }

    /// Whether it is open at `now`, and until when.
    pub fn read(&self, zone: &dyn Zone, now: Instant) -> WindowReading {
        let mut segment = zone.segment(now);
        let mut at = now;
        let open = self.contains(local(at, segment));
        for _ in 0..SEARCH_STEPS_MAX {
            let wall = local(at, segment);
            let boundary = at.plus(self.next_boundary(wall) - wall);
            if boundary < segment.until {
                at = boundary;
            } else {
                at = segment.until;
                segment = zone.segment(at);
            }
            if self.contains(local(at, segment)) != open {
                return WindowReading { open, until: at };
            }
        }
        WindowReading { open, until: at }
    }

    /// Since when it is as it is at `now`; for one that has not changed in [`SINCE_DAYS`] days, that long ago.
    pub fn since(&self, zone: &dyn Zone, now: Instant) -> Instant {
        let mut since = Instant(now.0.saturating_sub(SINCE_DAYS * DAY));
        loop {
            let until = self.read(zone, since).until;
            if until > now || until <= since {
                return since;
            }
            since = until;
        }
    }

    /// Whether the wall clock (microseconds of local time since 2000-01-01) is inside.
    fn contains(&self, wall: i64) -> bool {
        let (day, time) = (wall.div_euclid(DAY), wall.rem_euclid(DAY));
        if self.start < self.end {
            self.has_day(day) && (self.start..self.end).contains(&time)
        } else {
            (self.has_day(day) && time >= self.start) || (self.has_day(day - 1) && time < self.end)
        }
    }

    fn has_day(&self, day: i64) -> bool {
        let weekday = Day(day as i32).iso_weekday();
        self.days & (1 << (weekday - 1)) != 0
    }

    /// The next wall-clock time after `wall` at which the window may open or close.
    fn next_boundary(&self, wall: i64) -> i64 {
        let midnight = wall.div_euclid(DAY) * DAY;
        [self.start, self.end, self.start + DAY, self.end + DAY]
            .into_iter()
            .map(|time| midnight + time)
            .filter(|&boundary| boundary > wall)
            .min()
            .unwrap_or(midnight + DAY)
    }
}

fn local(at: Instant, segment: Segment) -> i64 {
    at.0.saturating_add(i64::from(segment.offset_seconds) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{HOUR, MINUTE};
    use proptest::prelude::*;

    /// A zone written out as its changes: (first instant, offset in seconds).
    struct Listed(&'static [(i64, i32)]);

    impl Zone for Listed {
        fn segment(&self, at: Instant) -> Segment {
            let next = self.0.iter().position(|&(from, _)| from > at.0).unwrap_or(self.0.len());
            Segment {
                offset_seconds: self.0[next.saturating_sub(1)].1,
                until: self.0.get(next).map_or(Instant::MAX, |&(from, _)| Instant(from)),
            }
        }
    }

    // 2026-03-08 10:00 UTC and 2026-11-01 09:00 UTC: Los Angeles' changes of 2026.
    const LOS_ANGELES: Listed = Listed(&[
        (i64::MIN, -8 * 3600),
        (9_563 * DAY + 10 * HOUR, -7 * 3600),
        (9_801 * DAY + 9 * HOUR, -8 * 3600),
    ]);
    // Lord Howe moves by half an hour: 2026-04-04 15:00 UTC back, 2026-10-03 15:30 UTC forth.
    const LORD_HOWE: Listed = Listed(&[
        (i64::MIN, 11 * 3600),
        (9_590 * DAY + 15 * HOUR, 10 * 3600 + 1800),
        (9_772 * DAY + 15 * HOUR + 30 * MINUTE, 11 * 3600),
    ]);

    const EVERY_DAY: u8 = 0b111_1111;

    fn window(start: i64, end: i64, days: u8) -> Window {
        Window::new(start * MINUTE, end * MINUTE, days).unwrap()
    }

    #[test]
    fn the_listed_days_are_the_real_ones() {
        assert_eq!(Day(9_563), Day::from_civil(2026, 3, 8));
        assert_eq!(Day(9_801), Day::from_civil(2026, 11, 1));
        assert_eq!(Day(9_590), Day::from_civil(2026, 4, 4));
        assert_eq!(Day(9_772), Day::from_civil(2026, 10, 3));
    }

    #[test]
    fn impossible_windows_are_named() {
        assert_eq!(Window::new(HOUR, HOUR, 1), Err(Impossible::Empty));
        assert_eq!(Window::new(DAY, HOUR, 1), Err(Impossible::TimeOutOfRange));
        assert_eq!(Window::new(-1, HOUR, 1), Err(Impossible::TimeOutOfRange));
        assert_eq!(Window::new(0, HOUR, 0), Err(Impossible::Days));
        assert_eq!(Window::new(0, HOUR, 128), Err(Impossible::Days));
        assert!(Window::new(0, DAY, 1).is_ok(), "24:00 is an end");
    }

    #[test]
    fn a_window_past_midnight_belongs_to_its_first_day() {
        // Friday 22:00 to Saturday 02:00; 2026-05-22 is a Friday.
        let w = window(22 * 60, 2 * 60, 1 << 4);
        let friday = Day::from_civil(2026, 5, 22);
        let read = |hour| w.read(&Utc, friday.start().plus(hour * HOUR));
        assert!(!read(21).open);
        assert_eq!(read(21).until, friday.start().plus(22 * HOUR));
        assert_eq!(read(25), WindowReading { open: true, until: friday.start().plus(26 * HOUR) });
        assert_eq!(read(26).until, friday.start().plus(7 * DAY + 22 * HOUR));
        assert!(!read(1).open, "Friday 01:00 belongs to Thursday");
    }

    #[test]
    fn an_opening_inside_the_gap_opens_at_the_gap() {
        // 02:30 does not exist on 2026-03-08; the wall clock goes from 01:59 to 03:00.
        let w = window(150, 300, EVERY_DAY);
        let before = Instant(9_563 * DAY + 9 * HOUR);
        let gap = Instant(9_563 * DAY + 10 * HOUR);
        assert_eq!(w.read(&LOS_ANGELES, before), WindowReading { open: false, until: gap });
    }

    #[test]
    fn an_overlap_is_inside_twice() {
        // 01:30–05:00 on 2026-11-01: open at 01:30 PDT, closed at 01:00 PST, open at 01:30 PST.
        let w = window(90, 300, EVERY_DAY);
        let first = Instant(9_801 * DAY + 8 * HOUR + 30 * MINUTE);
        let back = Instant(9_801 * DAY + 9 * HOUR);
        assert_eq!(w.read(&LOS_ANGELES, first), WindowReading { open: true, until: back });
        assert_eq!(w.read(&LOS_ANGELES, back), WindowReading { open: false, until: back.plus(30 * MINUTE) });
    }

    proptest! {
        /// Against the predicate itself, minute by minute.
        #[test]
        fn a_reading_holds_exactly_until_it_says(
            start in 0i64..1440, length in 1i64..1440, days in 1u8..128,
            from in prop_oneof![9_555i64..9_565, 9_585i64..9_595, 9_768i64..9_776, 9_795i64..9_805],
            minute in 0i64..1440, zone in 0usize..3,
        ) {
            let zone: &dyn Zone = [&LOS_ANGELES as &dyn Zone, &LORD_HOWE, &Utc][zone];
            let w = window(start, (start + length) % 1440, days);
            let inside = |at: Instant| {
                let wall = at.0 + i64::from(zone.segment(at).offset_seconds) * SECOND;
                let (day, time) = (wall.div_euclid(DAY), wall.rem_euclid(DAY) / MINUTE);
                let on = |day: i64| days >> ((day + 5).rem_euclid(7)) & 1 == 1;
                (on(day) && time >= start && time < start + length)
                    || (on(day - 1) && time + 1440 < start + length)
            };
            let now = Instant(from * DAY + minute * MINUTE);
            let reading = w.read(zone, now);
            prop_assert_eq!(reading.open, inside(now));
            let mut at = now;
            while at < reading.until {
                prop_assert_eq!(inside(at), reading.open, "changed at {:?}", at);
                at = at.plus(MINUTE);
            }
            prop_assert_eq!(inside(reading.until), !reading.open);
        }

        /// The reading of `since` is that of now, and the one just before it is not.
        #[test]
        fn a_window_is_as_it_is_since_it_says(
            start in 0i64..1440, length in 1i64..1440, days in 1u8..128,
            from in prop_oneof![9_555i64..9_565, 9_585i64..9_595, 9_768i64..9_776, 9_795i64..9_805],
            minute in 0i64..1440, zone in 0usize..3,
        ) {
            let zone: &dyn Zone = [&LOS_ANGELES as &dyn Zone, &LORD_HOWE, &Utc][zone];
            let w = window(start, (start + length) % 1440, days);
            let now = Instant(from * DAY + minute * MINUTE);
            let (reading, since) = (w.read(zone, now), w.since(zone, now));
            prop_assert!(since <= now);
            prop_assert_eq!(w.read(zone, since), reading);
            prop_assert_eq!(w.read(zone, since.plus(-MINUTE)).open, !reading.open);
        }
    }
}
