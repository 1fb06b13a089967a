//! Sending windows in real time zones, minute by minute, around every change of their clocks.

use crate::calendar::{
    Hours, Probed, Wall, hours, instant, midnight, next_change, offset_seconds, utc, wall,
};
use crate::ledger::{GENEROUS, Ledger, ask, request};
use chrono::{DateTime, Days, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use proptest::prelude::*;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, Reason};
use sendgate_decision::window::{WindowReading, Zone};
use std::sync::OnceLock;

/// Zones and years, with how often the clock is put forward and back in them. Besides the usual
/// hour at night: half an hour (Lord Howe), an odd offset (Chatham, Kolkata), a change for a month
/// (Casablanca), over midnight to the day before (St John's until 2011), at midnight (Cairo), and a
/// Friday that never was (Apia, 30 December 2011).
const ZONES: [(Tz, i32, usize, usize); 15] = [
    (Tz::Europe__Berlin, 2026, 1, 1),
    (Tz::America__New_York, 2026, 1, 1),
    (Tz::America__Los_Angeles, 2026, 1, 1),
    (Tz::America__St_Johns, 2026, 1, 1),
    (Tz::America__St_Johns, 2010, 1, 1),
    (Tz::Australia__Lord_Howe, 2026, 1, 1),
    (Tz::Pacific__Chatham, 2026, 1, 1),
    (Tz::Pacific__Apia, 2011, 2, 1),
    (Tz::Pacific__Apia, 2012, 1, 1),
    (Tz::Pacific__Apia, 2026, 0, 0),
    (Tz::Africa__Casablanca, 2026, 1, 1),
    (Tz::Africa__Cairo, 2026, 1, 1),
    (Tz::Asia__Kolkata, 2026, 0, 0),
    (Tz::Asia__Tokyo, 2026, 0, 0),
    (Tz::UTC, 2026, 0, 0),
];

/// The instants of a year at which the zone's clock is put, with the seconds it is put forward.
fn changes(zone: Tz, year: i32) -> Vec<(DateTime<Utc>, i32)> {
    let new_year = |year| Utc.with_ymd_and_hms(year, 1, 1, 0, 0, 0).unwrap();
    let mut found = Vec::new();
    let mut from = new_year(year);
    while let Some(at) = next_change(zone, from, new_year(year + 1)) {
        found.push((at, offset_seconds(zone, at) - offset_seconds(zone, at - TimeDelta::seconds(1))));
        from = at;
    }
    found
}

/// What the wall clock shows, minute by minute, for some weeks around a change. A window whose only
/// opening falls into a gap opens two weeks later, so there is more than that on both sides.
struct Strip {
    zone: Tz,
    from: DateTime<Utc>,
    walls: Vec<Wall>,
}

const DAYS_BEFORE: u64 = 15;
const DAYS_AFTER: u64 = 19;

impl Strip {
    fn around(zone: Tz, change: DateTime<Utc>) -> Strip {
        let from = change - Days::new(DAYS_BEFORE);
        let minutes = (DAYS_BEFORE + DAYS_AFTER) as i64 * 1440;
        let walls = (0..minutes).map(|minute| wall(zone, from + TimeDelta::minutes(minute))).collect();
        Strip { zone, from, walls }
    }

    fn at(&self, minute: usize) -> DateTime<Utc> {
        self.from + TimeDelta::minutes(minute as i64)
    }

    /// The first minute at which the answer is no longer the one of `minute`; none = never.
    fn next_flip(&self, hours: Hours, minute: usize) -> Option<DateTime<Utc>> {
        let open = hours.inside(self.walls[minute]);
        let flip = self.walls[minute..].iter().position(|&wall| hours.inside(wall) != open)?;
        Some(self.at(minute + flip))
    }
}

/// One strip for each change of each zone, and one for each zone without.
fn strips() -> &'static [Strip] {
    static STRIPS: OnceLock<Vec<Strip>> = OnceLock::new();
    STRIPS.get_or_init(|| {
        let mut strips = Vec::new();
        for (zone, year, ..) in ZONES {
            let mut around: Vec<_> = changes(zone, year).into_iter().map(|change| change.0).collect();
            if around.is_empty() {
                around.push(Utc.with_ymd_and_hms(year, 12, 27, 0, 0, 0).unwrap());
            }
            strips.extend(around.into_iter().map(|at| Strip::around(zone, at)));
        }
        strips
    })
}

/// A window and an instant: which strip, the window, the minute of the strip, and what is past it.
type Case = (usize, Hours, usize, i64);

/// What becomes of a window that is put beside a change: the days (none = as they are), the distance
/// of an edge from the change in minutes, and whether the edge is the start.
type Near = (Option<bool>, i32, bool);

/// Puts the window's start or end about the time at which the clock is put, on the day of it alone
/// or on every day.
fn put_near(hours: &mut Hours, change: Wall, (only_day, distance, starts): Near) {
    let edge = change.minute as i32 + distance;
    let start = if starts { edge } else { edge - hours.length as i32 };
    hours.start = start.rem_euclid(1440) as u32;
    if let Some(only_day) = only_day {
        hours.days = if only_day { 1 << change.weekday.num_days_from_monday() } else { 127 };
    }
}

/// Instants around the change and up to two weeks before it. Every other window starts or ends near it, half
/// of those at the very time of the change.
fn case() -> impl Strategy<Value = Case> {
    let change = DAYS_BEFORE as usize * 1440;
    let distance =
        prop_oneof![2 => Just(0), 1 => prop::sample::select(vec![-60, -30, 30, 60]), 2 => -90i32..90];
    let near = prop::option::of((any::<Option<bool>>(), distance, any::<bool>()));
    let minute = prop_oneof![
        3 => change - 180..change + 180,
        1 => change - 1440..change + 1440,
        2 => change - 14 * 1440..change + 3 * 1440,
    ];
    let past = prop_oneof![Just(0), Just(59_999_999), 0i64..60_000_000];
    (0..strips().len(), hours(), near, any::<bool>(), minute, past).prop_map(
        move |(strip, mut hours, near, old_time, minute, past)| {
            // The minute after the last one of the old time, or the first one of the new.
            let mut put = strips()[strip].walls[change - usize::from(old_time)];
            put.minute += u32::from(old_time);
            if let Some(near) = near {
                put_near(&mut hours, put, near);
            }
            (strip, hours, minute, past)
        },
    )
}

#[test]
fn zones_change_their_offset_as_published() {
    for (zone, year, forward, back) in ZONES {
        let changes = changes(zone, year);
        let gaps = changes.iter().filter(|change| change.1 > 0).count();
        assert_eq!((gaps, changes.len() - gaps), (forward, back), "{zone} {year}");
    }
    let put = |zone, year, nth: usize| changes(zone, year)[nth];
    let at =
        |year, month, day, hour, minute| Utc.with_ymd_and_hms(year, month, day, hour, minute, 0).unwrap();
    assert_eq!(put(Tz::Europe__Berlin, 2026, 0), (at(2026, 3, 29, 1, 0), 3600));
    assert_eq!(put(Tz::America__Los_Angeles, 2026, 1), (at(2026, 11, 1, 9, 0), -3600));
    assert_eq!(put(Tz::Australia__Lord_Howe, 2026, 0), (at(2026, 4, 4, 15, 0), -1800));
    assert_eq!(put(Tz::America__St_Johns, 2010, 1), (at(2010, 11, 7, 2, 31), -3600));
    assert_eq!(put(Tz::Pacific__Apia, 2011, 2), (at(2011, 12, 30, 10, 0), 24 * 3600));
}

#[test]
fn a_probed_zone_says_where_its_offset_ends() {
    let before = Utc.with_ymd_and_hms(2026, 3, 29, 0, 59, 59).unwrap();
    let segment = Probed(Tz::Europe__Berlin).segment(instant(before));
    assert_eq!((segment.offset_seconds, segment.until), (3600, instant(before + TimeDelta::seconds(1))));
    let after = Probed(Tz::Europe__Berlin).segment(segment.until);
    assert_eq!(after.offset_seconds, 7200);
    assert_eq!(utc(after.until) - utc(segment.until), TimeDelta::days(40), "nothing in sight");
}

/// The longest that a window can keep people waiting.
#[test]
fn opening_in_a_skipped_hour_moves_to_the_next_week() {
    let until = |zone, hours: Hours, now| utc(hours.window().read(&Probed(zone), instant(now)).until);
    let at =
        |year, month, day, hour, minute| Utc.with_ymd_and_hms(year, month, day, hour, minute, 0).unwrap();
    let sundays = Hours { start: 130, length: 40, days: 1 << 6, ends_at_24: false };
    assert_eq!(until(Tz::Europe__Berlin, sundays, at(2026, 3, 22, 1, 50)), at(2026, 4, 5, 0, 10));
    let fridays = Hours { start: 540, length: 60, days: 1 << 4, ends_at_24: false };
    assert_eq!(until(Tz::Pacific__Apia, fridays, at(2011, 12, 23, 20, 0)), at(2012, 1, 5, 19, 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Open is what the wall clock says, and `until` the first minute at which it says otherwise.
    #[test]
    fn a_window_reads_as_the_wall_clock_does((strip, hours, minute, past) in case()) {
        let strip = &strips()[strip];
        let now = Instant(instant(strip.at(minute)).0 + past);
        let reading = hours.window().read(&Probed(strip.zone), now);
        let open = hours.inside(strip.walls[minute]);
        match strip.next_flip(hours, minute) {
            Some(flip) => prop_assert_eq!(reading, WindowReading { open, until: instant(flip) }, "{:?}", wall(strip.zone, flip)),
            None => prop_assert!(open && reading.open && utc(reading.until) > strip.at(strip.walls.len() - 1)),
        }
    }

    /// The gate refuses outside and says when it opens; a grant is not valid past the closing.
    #[test]
    fn the_gate_keeps_to_the_window((strip, hours, minute, past) in case(), action in 0usize..5) {
        let strip = &strips()[strip];
        let now = strip.at(minute) + TimeDelta::microseconds(past);
        let mut account = Ledger::default().account(now);
        account.window = Some(hours.window());
        let zone = Probed(strip.zone);
        let mut request = request(Action::ALL[action], now, GENEROUS);
        request.zone = &zone;
        let flip = strip.next_flip(hours, minute);
        match ask(&account, &request) {
            Ok(grant) => {
                prop_assert!(hours.inside(strip.walls[minute]), "granted outside");
                let tomorrow = midnight(now.date_naive() + Days::new(1));
                let valid_until = flip.map_or(tomorrow, |closing| closing.min(tomorrow));
                prop_assert_eq!(grant.valid_until, instant(valid_until));
            }
            Err(refusal) => {
                prop_assert!(!hours.inside(strip.walls[minute]), "refused inside");
                prop_assert_eq!((refusal.reason, refusal.retry_at), (Reason::OutsideSendingWindow, flip.map(instant)));
                request.now = refusal.retry_at.unwrap();
                prop_assert!(ask(&account, &request).is_ok(), "closed at its opening");
                request.now = request.now.plus(-1);
                prop_assert!(ask(&account, &request).is_err(), "open before its opening");
            }
        }
    }
}
