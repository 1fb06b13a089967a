//! Reads the two settings of the test clock: an instant and a length of time.
//!
//! Settings are read by hand, not by PostgreSQL's own parsers, because they are assigned where
//! neither an error may be raised nor the session's `TimeZone` may matter.

use crate::clock::{DAY, Day, HOUR, Instant, MINUTE, SECOND};

/// Reads an instant in ISO 8601, such as `2026-05-24 12:00:00+00` or `2026-05-24T12:00Z`. Without
/// an offset it is UTC. `None` for anything else.
pub fn instant(text: &str) -> Option<Instant> {
    let text = text.trim();
    let (date, rest) = text.split_at_checked(10)?;
    let rest = rest.strip_prefix([' ', 'T', 't']).unwrap_or(rest).trim();
    let (time, offset) = split_offset(rest)?;
    let micros = if time.is_empty() { 0 } else { time_of_day(time)? };
    Some(civil(date)?.start().plus(micros - offset))
}

fn civil(date: &str) -> Option<Day> {
    let mut parts = date.split('-');
    let year: i32 = number(parts.next()?, 4)?;
    let month = u8::try_from(number(parts.next()?, 2)?).ok()?;
    let day = u8::try_from(number(parts.next()?, 2)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    Day::from_civil_opt(year, month, day)
}

/// Splits `12:00:00+05:30` into the time and the offset in microseconds.
fn split_offset(text: &str) -> Option<(&str, i64)> {
    for utc in ["Z", "z", "UTC", "utc", "GMT"] {
        if let Some(time) = text.strip_suffix(utc) {
            return Some((time.trim_end(), 0));
        }
    }
    let Some(sign_at) = text.rfind(['+', '-']) else {
        return Some((text, 0));
    };
    let (time, offset) = text.split_at(sign_at);
    let sign = if offset.starts_with('-') { -1 } else { 1 };
    let mut parts = offset[1..].split(':');
    let hours = i64::from(number(parts.next()?, 2)?);
    let minutes = parts.next().map_or(Some(0), |m| number(m, 2))?;
    let seconds = parts.next().map_or(Some(0), |s| number(s, 2))?;
    let valid = parts.next().is_none() && hours <= 15 && minutes < 60 && seconds < 60;
    let offset = hours * HOUR + i64::from(minutes) * MINUTE + i64::from(seconds) * SECOND;
    valid.then(|| (time.trim_end(), sign * offset))
}

/// Reads `HH:MM`, `HH:MM:SS` or `HH:MM:SS.ffffff`.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let hours = number(parts.next()?, 2)?;
    let minutes = number(parts.next()?, 2)?;
    let (seconds, micros) = match parts.next() {
        None => (0, 0),
        Some(seconds) => match seconds.split_once('.') {
            None => (number(seconds, 2)?, 0),
            Some((whole, fraction)) => (number(whole, 2)?, fraction_micros(fraction)?),
        },
    };
    let valid = parts.next().is_none() && hours < 24 && minutes < 60 && seconds < 60;
    valid
        .then(|| i64::from(hours) * HOUR + i64::from(minutes) * MINUTE + i64::from(seconds) * SECOND + micros)
}

fn fraction_micros(digits: &str) -> Option<i64> {
    let valid = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| format!("{digits:0<6}").parse().ok()).flatten()
}

/// A number of exactly `digits` ASCII digits.
fn number(text: &str, digits: usize) -> Option<i32> {
    let valid = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten()
}

/// Reads a length of time in microseconds: `9 days`, `-1h`, `1 day 02:30:00`, `90` (seconds).
/// Months and years have no fixed length and are not read. `None` for anything else.
pub fn duration(text: &str) -> Option<i64> {
    let text = text.trim();
    let (text, sign) = match text.strip_prefix('-') {
        Some(rest) => (rest.trim_start(), -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    };
    if text.is_empty() {
        return None;
    }
    let mut total = 0i64;
    let mut rest = text;
    while !rest.is_empty() {
        let number_end =
            rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
        let (value, tail) = rest.split_at(number_end);
        let tail = tail.trim_start();
        if value.contains(':') {
            total = total.checked_add(time_of_day(value)?)?;
            rest = tail;
            continue;
        }
        let unit_end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let value: i64 = value.parse().ok()?;
        total = total.checked_add(value.checked_mul(unit_micros(unit)?)?)?;
        rest = tail.trim_start();
    }
    total.checked_mul(sign)
}

fn unit_micros(unit: &str) -> Option<i64> {
    Some(match unit {
        "us" => 1,
        "ms" => 1_000,
        "" | "s" | "sec" | "secs" | "second" | "seconds" => SECOND,
        "min" | "mins" | "minute" | "minutes" => MINUTE,
        "h" | "hour" | "hours" => HOUR,
        "d" | "day" | "days" => DAY,
        "w" | "week" | "weeks" => 7 * DAY,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn instants() {
        let noon = Day::from_civil(2026, 5, 24).start().plus(12 * HOUR);
        for text in [
            "2026-05-24 12:00",
            "2026-05-24T12:00Z",
            "2026-05-24 12:00:00+00",
            "2026-05-24 12:00:00 UTC",
            "2026-05-24 17:30+05:30",
            "2026-05-25 02:00:00.000000+14",
            "2026-05-24 05:00:00-07",
        ] {
            assert_eq!(instant(text), Some(noon), "{text}");
        }
        assert_eq!(instant("2026-05-24 12:00:00.25Z"), Some(noon.plus(250_000)));
        assert_eq!(instant("2026-05-24"), Some(noon.plus(-12 * HOUR)));
        for bad in [
            "",
            "now",
            "2026-02-30",
            "2026-05-24 25:00",
            "2026-05-24 12",
            "24.05.2026 12:00",
            "2026-05-24 12:00+99",
            "2026-05-24 12:00 Europe/Berlin",
            "2026-05-24 12:00:00.1234567",
            "２０２６-05-24",
        ] {
            assert_eq!(instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("9 days"), Some(9 * DAY));
        assert_eq!(duration("-1h"), Some(-HOUR));
        assert_eq!(duration("1 day 02:30:00"), Some(DAY + 2 * HOUR + 30 * MINUTE));
        assert_eq!(duration("90"), Some(90 * SECOND));
        assert_eq!(duration("-00:00:01"), Some(-SECOND));
        for bad in ["", "-", "1 month", "soon", "1.5 h", "9999999999999999 d", "1 day ago"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "\\PC{0,40}") {
            let _ = (instant(&text), duration(&text));
        }

        #[test]
        fn odd_texts_of_their_own_characters_neither(text in "[-+:. 0-9TZdhms]{0,30}") {
            let _ = (instant(&text), duration(&text));
        }
    }
}
