//! Instants as the database has them: microseconds, read from rows and from JSON, shown in the reader's zone.

use std::error::Error;
use std::fmt;

use chrono::{DateTime, NaiveDate, NaiveDateTime, SecondsFormat, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use super::zone;

/// PostgreSQL's `timestamptz`: an instant in UTC, to the microsecond. `infinity` and years that chrono
/// cannot represent become the last instant that it can, `-infinity` the first.
///
/// `Display` writes it to the second and without a zone: in UTC, or for a reader of the console in the zone that the
/// reader chose, which the page names ([`zone`](super::zone)). JSON has it as PostgreSQL writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    const FIRST: Timestamp = Timestamp(DateTime::<Utc>::MIN_UTC);
    const LAST: Timestamp = Timestamp(DateTime::<Utc>::MAX_UTC);

    /// Its day in UTC.
    pub fn day(self) -> NaiveDate {
        self.0.date_naive()
    }

    /// Without its zone, which is UTC.
    pub(super) fn naive(self) -> NaiveDateTime {
        self.0.naive_utc()
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.timestamp()
    }

    /// The quarter of an hour of its day, from 0 to 95.
    pub fn quarter(self) -> u32 {
        self.0.hour() * 4 + self.0.minute() / 15
    }

    /// How far it is from another instant, as people say it: `3 h ago`, `in 2 days`, `now`.
    pub fn relative_to(self, now: Timestamp) -> String {
        if self.infinity().is_some() {
            return String::new();
        }
        let seconds = self.0.signed_duration_since(now.0).num_seconds();
        let amount = match seconds.unsigned_abs() {
            0 => return "now".to_owned(),
            s if s < 60 => format!("{s} s"),
            s if s < 3_600 => format!("{} min", s / 60),
            s if s < 2 * 86_400 => format!("{} h", s / 3_600),
            s => format!("{} days", s / 86_400),
        };
        if seconds < 0 { format!("{amount} ago") } else { format!("in {amount}") }
    }

    /// For a sentence: the instant, and how far it is from another one, as `2025-05-20 10:00:00 (in 3 h)`.
    pub fn told(self, now: Timestamp) -> String {
        match self.relative_to(now) {
            relative if relative.is_empty() => self.to_string(),
            relative => format!("{self} ({relative})"),
        }
    }

    /// Whether it is an instant of the calendar, and no infinity.
    pub fn is_finite(self) -> bool {
        self.infinity().is_none()
    }

    /// ISO 8601 to the second, as `2025-01-01T10:00:00Z`.
    pub fn to_iso(self) -> String {
        self.infinity().map_or_else(|| self.0.to_rfc3339_opts(SecondsFormat::Secs, true), str::to_owned)
    }

    /// What PostgreSQL's JSON has for an instant without an end.
    fn infinity(self) -> Option<&'static str> {
        match self {
            _ if self == Timestamp::LAST => Some("infinity"),
            _ if self == Timestamp::FIRST => Some("-infinity"),
            _ => None,
        }
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(instant: DateTime<Utc>) -> Timestamp {
        Timestamp(instant)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.infinity() {
            Some(text) => f.write_str(text),
            None => {
                let ahead = TimeDelta::seconds(zone::ahead(*self).into());
                // An instant beyond the calendar's end stays in UTC.
                let local = self.0.checked_add_signed(ahead).unwrap_or(self.0);
                write!(f, "{}", local.format("%Y-%m-%d %H:%M:%S"))
            }
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.infinity() {
            Some(text) => serializer.serialize_str(text),
            None => serializer.collect_str(&self.0.format("%Y-%m-%dT%H:%M:%S%.f+00:00")),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(match DateTime::parse_from_rfc3339(&text) {
            Ok(instant) => Timestamp(instant.to_utc()),
            // The column is a timestamptz, so this is an infinity, or a year that ISO 8601 has not.
            Err(_) if text.starts_with('-') || text.ends_with("BC") => Timestamp::FIRST,
            Err(_) => Timestamp::LAST,
        })
    }
}

impl<'a> FromSql<'a> for Timestamp {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Timestamp, Box<dyn Error + Sync + Send>> {
        // Microseconds since 2000; chrono reads all but the farthest.
        let is_before = raw.first().is_some_and(|byte| byte & 0x80 != 0);
        let farthest = if is_before { Timestamp::FIRST } else { Timestamp::LAST };
        Ok(DateTime::from_sql(kind, raw).map_or(farthest, Timestamp))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }
}

impl ToSql for Timestamp {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql(kind, out)
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::TIMESTAMPTZ
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn read(text: &str) -> Timestamp {
        from_value(json!(text)).expect(text)
    }

    #[test]
    fn people_read_seconds_and_programs_all_of_it() {
        let at = read("2025-05-20T09:14:59.123456+00:00");
        assert_eq!(at.to_string(), "2025-05-20 09:14:59");
        assert_eq!(at.to_iso(), "2025-05-20T09:14:59Z");
        assert_eq!(to_value(at).expect("JSON"), "2025-05-20T09:14:59.123456+00:00");
        assert_eq!(to_value(read("2025-05-20T00:00:00+00:00")).expect("JSON"), "2025-05-20T00:00:00+00:00");
    }

    #[test]
    fn instants_without_an_end_stay_so() {
        for text in ["infinity", "-infinity"] {
            assert_eq!(to_value(read(text)).expect("JSON"), text);
            assert_eq!((read(text).to_iso(), read(text).to_string()), (text.to_owned(), text.to_owned()));
        }
        assert!(read("-infinity") < read("2025-05-20T00:00:00+00:00"));
        assert!(read("0044-03-15T00:00:00+00:00 BC") < read("2025-05-20T00:00:00+00:00"));
        assert!(read("294276-01-01T00:00:00+00:00") > read("2025-05-20T00:00:00+00:00"));
        let of_wire =
            |microseconds: i64| Timestamp::from_sql(&Type::TIMESTAMPTZ, &microseconds.to_be_bytes());
        assert_eq!(of_wire(i64::MAX).expect("infinity"), Timestamp::LAST);
        assert_eq!(of_wire(i64::MIN).expect("-infinity"), Timestamp::FIRST);
        assert_eq!(of_wire(0).expect("an instant"), read("2000-01-01T00:00:00+00:00"));
    }

    #[test]
    fn people_read_how_long_ago_it_was() {
        let now = read("2025-05-20T12:00:00+00:00");
        for (text, said) in [
            ("2025-05-20T12:00:00+00:00", "now"),
            ("2025-05-20T11:59:30+00:00", "30 s ago"),
            ("2025-05-20T12:45:59+00:00", "in 45 min"),
            ("2025-05-19T10:00:00+00:00", "26 h ago"),
            ("2025-06-01T00:00:00+00:00", "in 11 days"),
            ("infinity", ""),
        ] {
            assert_eq!(read(text).relative_to(now), said);
        }
        assert_eq!(read("2025-05-20T12:45:00+00:00").told(now), "2025-05-20 12:45:00 (in 45 min)");
        assert_eq!(read("infinity").told(now), "infinity");
    }

    #[test]
    fn quarters_are_read_from_the_clock() {
        for (text, quarter) in [("00:00:00", 0), ("09:14:59", 36), ("23:45:00", 95)] {
            assert_eq!(read(&format!("2025-05-20T{text}+00:00")).quarter(), quarter);
        }
    }
}
