//! A day of one action as a drawing: a stair of slots taken, a stair of sends proven, and the line of the
//! cap.

use std::fmt::Write;

use crate::db::console::account::Quarter;

/// Quarters of an hour in a day.
const QUARTERS: i32 = 96;
/// The plot's place in the drawing, in the drawing's own units.
const LEFT: f64 = 40.0;
const RIGHT: f64 = 520.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 184.0;

/// A day of one action, ready to be drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Path of the slots taken.
    pub taken: String,
    /// Path of the sends proven.
    pub proven: String,
    /// Height of the cap's line; none if the cap is far above the sends.
    pub cap_y: Option<f64>,
    /// Horizontal lines: height and number of slots.
    pub levels: Vec<(f64, i32)>,
    /// Labels of the hours: place and text.
    pub hours: Vec<(f64, String)>,
    /// Sum of the slots taken, as the journal has them.
    pub taken_sum: i32,
    /// Sum of the sends proven.
    pub proven_sum: i32,
    /// The same as a table, for visitors who cannot see a drawing: time, taken until then, proven until then.
    pub table: Vec<(String, i32, i32)>,
}

impl Chart {
    /// Draws the day up to the quarter `now`, the last one that has begun. Quarters count from 0 to 95.
    pub fn draw(quarters: &[Quarter], cap: i32, now: i32) -> Chart {
        let until = now.clamp(0, QUARTERS - 1);
        let sum = |of: fn(&Quarter) -> i32| quarters.iter().map(of).sum::<i32>();
        let (taken_sum, proven_sum) = (sum(|q| q.taken), sum(|q| q.proven));
        let highest = taken_sum.max(proven_sum).max(1);
        // A cap of thousands would flatten a handful of sends.
        let shows_cap = cap > 0 && cap <= highest.saturating_mul(5).max(60);
        let top = nice(if shows_cap { highest.max(cap) } else { highest });
        let y = |value: i32| round(BOTTOM - (BOTTOM - TOP) * f64::from(value) / f64::from(top));
        let step = (top / 4).max(1);
        Chart {
            taken: stairs(quarters, until, |q| q.taken, y),
            proven: stairs(quarters, until, |q| q.proven, y),
            cap_y: shows_cap.then(|| y(cap)),
            levels: (0..=top / step).map(|n| (y(n * step), n * step)).collect(),
            hours: (0..=8).map(|n| (x(n * 12), format!("{:02}:00", n * 3))).collect(),
            taken_sum,
            proven_sum,
            table: running(quarters),
        }
    }
}

/// The place where a quarter begins.
fn x(quarter: i32) -> f64 {
    round(LEFT + (RIGHT - LEFT) * f64::from(quarter) / f64::from(QUARTERS))
}

/// The running sum as a path: level through each quarter, upright at its end.
fn stairs(quarters: &[Quarter], until: i32, of: impl Fn(&Quarter) -> i32, y: impl Fn(i32) -> f64) -> String {
    let mut path = format!("M{} {}", x(0), y(0));
    let mut sum = 0;
    for quarter in quarters.iter().filter(|quarter| of(quarter) != 0) {
        sum += of(quarter);
        let _ = write!(path, "H{}V{}", x(quarter.number), y(sum));
    }
    let _ = write!(path, "H{}", x(until + 1));
    path
}

/// The running sums at the end of each quarter in which something happened.
fn running(quarters: &[Quarter]) -> Vec<(String, i32, i32)> {
    let mut sums = (0, 0);
    let row = |quarter: &Quarter| {
        sums = (sums.0 + quarter.taken, sums.1 + quarter.proven);
        let minutes = (quarter.number + 1) * 15;
        (format!("{:02}:{:02}", minutes / 60, minutes % 60), sums.0, sums.1)
    };
    quarters.iter().map(row).collect()
}

/// The next larger number that divides into about four round steps.
pub(super) fn nice(value: i32) -> i32 {
    const ROUND: [i64; 11] = [10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100];
    let quarter = (i64::from(value) + 3) / 4;
    let mut unit = 1;
    while quarter > 100 * unit {
        unit *= 10;
    }
    let round = ROUND.into_iter().map(|step| step * unit).find(|step| *step >= quarter).unwrap_or(quarter);
    let step = if quarter < 10 { quarter } else { round };
    i32::try_from(4 * step).unwrap_or(value)
}

/// Rounded to tenths, which are finer than any screen.
pub(super) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quarter(number: i32, taken: i32, proven: i32) -> Quarter {
        Quarter { number, taken, proven }
    }

    #[test]
    fn an_empty_day_is_a_line_on_the_floor() {
        let chart = Chart::draw(&[], 50, 47);
        assert_eq!(chart.taken, "M40 184H280");
        assert_eq!(chart.taken, chart.proven);
        assert_eq!(chart.levels.last(), Some(&(TOP, 60)));
        assert!(chart.table.is_empty());
    }

    #[test]
    fn stairs_rise_where_something_happened() {
        let chart = Chart::draw(&[quarter(0, 2, 0), quarter(48, 2, 3)], 4, 95);
        assert_eq!(chart.taken, "M40 184H40V99H280V14H520");
        assert_eq!(chart.proven, "M40 184H280V56.5H520");
        assert_eq!(chart.cap_y, Some(TOP));
        assert_eq!((chart.taken_sum, chart.proven_sum), (4, 3));
        assert_eq!(chart.table, [("00:15".to_owned(), 2, 0), ("12:15".to_owned(), 4, 3)]);
    }

    #[test]
    fn a_cap_far_above_is_left_out_and_levels_are_whole() {
        assert_eq!(Chart::draw(&[quarter(3, 2, 2)], 10_000, 95).cap_y, None);
        for highest in [1, 3, 4, 5, 41, 119, 1_000, 9_999, 2_000_000_000] {
            let chart = Chart::draw(&[quarter(3, highest, 0)], 0, 95);
            let (top_y, top) = *chart.levels.last().expect("levels");
            assert!(top_y >= TOP && top >= highest / 4 * 4, "{highest}: {:?}", chart.levels);
            assert!(chart.levels.len() <= 6, "{highest}: {:?}", chart.levels);
        }
    }
}
