//! The last 30 days of one action as a drawing: a bar for each day, upwards attempts, downwards skipped work, over them a
//! line at the cap of each day, behind them a band wherever credits or a cooldown stopped the action; and the same as a table.

use std::fmt::Write;

use chrono::NaiveDate;

use super::chart::{nice, round};
use crate::db::Timestamp;
use crate::db::console::month::{Cause, Day, Month, Stop};

/// The plot's place in the drawing, in the drawing's own units.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 520.0;
const TOP: f64 = 14.0;
/// Bars of attempts grow from here upwards …
const FLOOR: f64 = 140.0;
/// … and bars of skips from a little lower down to here.
const CELLAR: f64 = 184.0;
const GAP: f64 = 4.0;
/// The part of a day's width that its bar takes.
const BAR: f64 = 0.7;
/// Days from one label to the next.
const LABEL_EVERY: usize = 5;
/// Least width of a band: one of minutes has to be seen in a month.
const BAND_MIN: f64 = 1.5;
const DAY_SECONDS: i64 = 86_400;

/// A month, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    /// The bars, of all days and kinds that are not 0.
    pub bars: Vec<Bar>,
    /// The bands behind them.
    pub bands: Vec<Band>,
    /// Path of the line at the cap of each day that has a known one; none if a cap is far above the attempts.
    pub caps: Option<String>,
    /// Whether the cap of a day is not known.
    pub caps_in_part: bool,
    /// Horizontal lines: height and number of attempts.
    pub levels: Vec<(f64, i32)>,
    /// Labels of days: place and text.
    pub labels: Vec<(f64, String)>,
    /// Sums of the month: delivered, failed, open, skipped.
    pub sums: [i64; 4],
    /// Most skips of one day.
    pub skipped_most: i32,
    /// Each day in words, the newest first.
    pub table: Vec<Line>,
    /// What is said if not all days were counted whole.
    pub in_part: Option<String>,
}

/// A rectangle of one day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// What it counts, as the style sheet calls it.
    pub class: &'static str,
    /// Its left edge.
    pub x: f64,
    /// Its upper edge.
    pub y: f64,
    /// Its width.
    pub width: f64,
    /// Its height.
    pub height: f64,
}

/// A stretch of time in which the action was stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Band {
    /// What stopped it.
    pub cause: Cause,
    /// Its left edge.
    pub x: f64,
    /// Its width.
    pub width: f64,
}

/// One day in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The day and its counts.
    pub day: Day,
    /// What stopped the action on that day, and for how long.
    pub stopped: String,
}

impl Cause {
    /// Its name, for people and for the style sheet.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Breaker => "breaker",
            Cause::Cooldown => "cooldown",
        }
    }
}

impl Drawing {
    /// Draws the month, which has at least one day.
    pub fn draw(month: &Month) -> Drawing {
        let days = &month.days;
        let highest = days.iter().map(|day| day.delivered + day.failed + day.open).max().unwrap_or(0).max(1);
        let skipped_most = days.iter().map(|day| day.skipped).max().unwrap_or(0);
        let cap = days.iter().filter_map(|day| day.cap).max().unwrap_or(0);
        let shows_caps = cap > 0 && cap <= highest.saturating_mul(5).max(60);
        let top = nice(if shows_caps { highest.max(cap) } else { highest });
        let y = |value: i32| round(FLOOR - (FLOOR - TOP) * f64::from(value) / f64::from(top));
        let step = (top / 4).max(1);
        let scale = Scale::of(days);
        // A skip is as high as an attempt, unless there are too many of them.
        let skip =
            ((FLOOR - TOP) / f64::from(top)).min((CELLAR - FLOOR - GAP) / f64::from(skipped_most.max(1)));
        let sum = |of: fn(&Day) -> i32| days.iter().map(|day| i64::from(of(day))).sum();
        Drawing {
            bars: days.iter().enumerate().flat_map(|(n, day)| scale.bars(n, day, y, skip)).collect(),
            bands: month.stops.iter().filter_map(|stop| scale.band(stop)).collect(),
            caps: shows_caps.then(|| scale.caps(days, y)),
            caps_in_part: days.iter().any(|day| day.cap.is_none()),
            levels: (0..=top / step).map(|n| (y(n * step), n * step)).collect(),
            labels: scale.labels(days),
            sums: [sum(|d| d.delivered), sum(|d| d.failed), sum(|d| d.open), sum(|d| d.skipped)],
            skipped_most,
            table: days.iter().rev().map(|day| line(*day, &month.stops)).collect(),
            in_part: in_part(days),
        }
    }

    /// Whether nothing happened and nothing was stopped.
    pub fn is_empty(&self) -> bool {
        self.sums.iter().all(|sum| *sum == 0) && self.bands.is_empty()
    }

    /// Whether something like this stopped the action.
    pub fn was_stopped(&self, cause: Cause) -> bool {
        self.bands.iter().any(|band| band.cause == cause)
    }
}

/// Where days stand.
struct Scale {
    first: i64,
    days: usize,
}

impl Scale {
    fn of(days: &[Day]) -> Scale {
        Scale { first: days.first().map_or(0, |day| begin(day.day)), days: days.len().max(1) }
    }

    fn width(&self) -> f64 {
        (RIGHT - LEFT) / self.days as f64
    }

    /// The place of an instant, not outside the plot.
    fn x(&self, at: Timestamp) -> f64 {
        let part = (at.seconds() - self.first) as f64 / (DAY_SECONDS * self.days as i64) as f64;
        round(LEFT + (RIGHT - LEFT) * part.clamp(0.0, 1.0))
    }

    fn bars(&self, n: usize, day: &Day, y: impl Fn(i32) -> f64, skip: f64) -> Vec<Bar> {
        let x = round(LEFT + self.width() * (n as f64 + (1.0 - BAR) / 2.0));
        let width = round(self.width() * BAR);
        let mut bars = Vec::new();
        let mut below = 0;
        for (class, count) in [("delivered", day.delivered), ("failed", day.failed), ("open", day.open)] {
            if count > 0 {
                let (upper, lower) = (y(below + count), y(below));
                bars.push(Bar { class, x, y: upper, width, height: round(lower - upper) });
            }
            below += count;
        }
        if day.skipped > 0 {
            let height = round((skip * f64::from(day.skipped)).max(1.0));
            bars.push(Bar { class: "skipped", x, y: FLOOR + GAP, width, height });
        }
        bars
    }

    /// A line through each day at its cap, upright where the cap changed, and with a gap where it is not known.
    fn caps(&self, days: &[Day], y: impl Fn(i32) -> f64) -> String {
        let mut path = String::new();
        let mut before = None;
        for (n, day) in days.iter().enumerate() {
            let edge = |n: usize| round(LEFT + self.width() * n as f64);
            if let Some(cap) = day.cap {
                let _ = match before {
                    None => write!(path, "M{} {}", edge(n), y(cap)),
                    Some(other) if other != cap => write!(path, "V{}", y(cap)),
                    Some(_) => Ok(()),
                };
                let _ = write!(path, "H{}", edge(n + 1));
            }
            before = day.cap;
        }
        path
    }

    fn band(&self, stop: &Stop) -> Option<Band> {
        let (from, to) = (self.x(stop.since), self.x(stop.until));
        let width = round((to - from).max(BAND_MIN).min(RIGHT - from));
        (width > 0.0).then_some(Band { cause: stop.cause, x: from, width })
    }

    /// Every fifth day counted from today, so that today has one.
    fn labels(&self, days: &[Day]) -> Vec<(f64, String)> {
        let place = |n: usize| round(LEFT + self.width() * (n as f64 + 0.5));
        let has_one = |n: &usize| (days.len() - 1 - n).is_multiple_of(LABEL_EVERY);
        (0..days.len())
            .filter(has_one)
            .map(|n| (place(n), days[n].day.format("%b %-d").to_string()))
            .collect()
    }
}

/// The seconds at which a day begins.
fn begin(day: NaiveDate) -> i64 {
    day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp()
}

/// More happened than is looked at: from which day on the counts are whole.
fn in_part(days: &[Day]) -> Option<String> {
    if days.iter().all(|day| day.is_known) {
        return None;
    }
    Some(match days.iter().find(|day| day.is_known) {
        Some(first) => {
            format!("So much happened that days before {} are counted in part.", first.day.format("%b %-d"))
        }
        None => "So much happened that all days are counted in part.".to_owned(),
    })
}

fn line(day: Day, stops: &[Stop]) -> Line {
    let begin = begin(day.day);
    let during = |cause| {
        // Stops of one cause may overlap: of the account and of the action.
        let mut until = begin;
        let mut seconds = 0;
        for stop in stops.iter().filter(|stop| stop.cause == cause) {
            let from = stop.since.seconds().max(until);
            let to = stop.until.seconds().min(begin + DAY_SECONDS);
            seconds += (to - from).max(0);
            until = until.max(to);
        }
        seconds
    };
    let told = |cause: Cause| match during(cause) {
        0 => None,
        seconds if seconds >= DAY_SECONDS => Some(format!("{} all day", cause.name())),
        seconds if seconds < 3_600 => Some(format!("{} {} min", cause.name(), (seconds / 60).max(1))),
        seconds => Some(format!("{} {} h", cause.name(), seconds / 3_600)),
    };
    let stopped: Vec<String> = [Cause::Breaker, Cause::Cooldown].into_iter().filter_map(told).collect();
    Line { day, stopped: stopped.join(", ") }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn at(text: &str) -> Timestamp {
        from_value(json!(format!("{text}+00:00"))).expect(text)
    }

    fn day(number: u32, counts: [i32; 4]) -> Day {
        let [delivered, failed, open, skipped] = counts;
        let day = NaiveDate::from_ymd_opt(2026, 11, number).expect("a day");
        Day { day, delivered, failed, open, skipped, is_known: true, cap: Some(50) }
    }

    fn month(days: Vec<Day>, stops: Vec<Stop>) -> Drawing {
        Drawing::draw(&Month { days, stops })
    }

    #[test]
    fn nothing_is_an_empty_drawing() {
        let drawn = month((1..=30).map(|n| day(n, [0; 4])).collect(), Vec::new());
        assert!(drawn.is_empty() && drawn.bars.is_empty());
        assert_eq!(drawn.labels.len(), 6);
        assert_eq!(drawn.labels.last().map(|(_, text)| text.as_str()), Some("Nov 30"));
        assert_eq!(drawn.table.len(), 30);
        assert_eq!(drawn.in_part, None);
    }

    #[test]
    fn bars_stand_on_each_other_and_skips_hang_below() {
        let drawn = month(vec![day(1, [30, 10, 5, 8]), day(2, [0, 0, 0, 2])], Vec::new());
        let named = |class| drawn.bars.iter().filter(move |bar| bar.class == class).collect::<Vec<_>>();
        let ([delivered], [failed], [open]) =
            (&named("delivered")[..], &named("failed")[..], &named("open")[..])
        else {
            panic!("one bar each: {:?}", drawn.bars)
        };
        assert_eq!(delivered.y + delivered.height, FLOOR);
        assert!(
            (failed.y + failed.height - delivered.y).abs() < 0.2
                && (open.y + open.height - failed.y).abs() < 0.2
        );
        assert!(open.y >= TOP);
        let skipped = named("skipped");
        assert_eq!((skipped[0].height, skipped[1].height), (16.8, 4.2));
        let many = month(vec![day(1, [0, 0, 0, 900]), day(2, [0, 0, 0, 2])], Vec::new());
        assert_eq!((many.bars[0].height, many.bars[1].height), (CELLAR - FLOOR - GAP, 1.0));
        assert_eq!(drawn.sums, [30, 10, 5, 10]);
        assert!(drawn.caps.is_some() && !drawn.caps_in_part);
    }

    #[test]
    fn the_caps_are_a_line_with_steps_and_gaps() {
        let with = |number, cap| Day { cap, ..day(number, [1, 0, 0, 0]) };
        let drawn = |caps: [Option<i32>; 4]| {
            month((1..=4).zip(caps).map(|(n, cap)| with(n, cap)).collect(), Vec::new())
        };
        let steps = drawn([Some(30), Some(60), None, Some(60)]);
        assert_eq!(steps.caps.as_deref(), Some("M40 77H160V14H280M400 14H520"));
        assert!(steps.caps_in_part);
        assert_eq!(drawn([Some(60); 4]).caps.as_deref(), Some("M40 14H160H280H400H520"));
        // A cap of thousands would flatten a handful of attempts.
        assert_eq!(drawn([Some(10_000), Some(5), Some(5), Some(5)]).caps, None);
        assert_eq!(drawn([None; 4]).caps, None);
    }

    #[test]
    fn bands_stay_inside_and_are_told_by_the_day() {
        let stop = |cause, since, until| Stop { cause, since: at(since), until: at(until) };
        let stops = vec![
            stop(Cause::Cooldown, "2026-10-20T00:00:00", "2026-11-01T12:00:00"),
            stop(Cause::Cooldown, "2026-11-01T11:00:00", "2026-11-01T13:00:00"),
            stop(Cause::Breaker, "2026-11-02T00:00:00", "2026-12-01T00:00:00"),
            stop(Cause::Cooldown, "2026-11-03T10:00:00", "2026-11-03T10:00:30"),
        ];
        let drawn = month((1..=4).map(|n| day(n, [0; 4])).collect(), stops);
        assert!(
            drawn.bands.iter().all(|band| band.x >= LEFT && band.x + band.width <= RIGHT && band.width > 0.0)
        );
        assert_eq!(drawn.bands[0], Band { cause: Cause::Cooldown, x: LEFT, width: 60.0 });
        assert_eq!(drawn.bands[2].width, 360.0);
        assert_eq!(drawn.bands[3].width, BAND_MIN);
        let told: Vec<&str> = drawn.table.iter().rev().map(|line| line.stopped.as_str()).collect();
        assert_eq!(
            told,
            ["cooldown 13 h", "breaker all day", "breaker all day, cooldown 1 min", "breaker all day"]
        );
        assert!(drawn.was_stopped(Cause::Breaker) && !drawn.is_empty());
    }

    #[test]
    fn days_that_were_counted_in_part_are_named() {
        let part = Day { is_known: false, ..day(1, [9, 0, 0, 0]) };
        let told = |days| month(days, Vec::new()).in_part.unwrap_or_default();
        assert!(told(vec![part, day(2, [1, 0, 0, 0])]).ends_with("days before Nov 2 are counted in part."));
        assert!(told(vec![part]).ends_with("all days are counted in part."));
    }
}
