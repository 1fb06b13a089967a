//! A place in a list that is read newest first, page by page.

use std::fmt;
use std::str::FromStr;

use chrono::NaiveDateTime;

use super::Timestamp;

/// The last row of the page before: the next page begins after it. In an address it is the row's time,
/// to the microsecond, and its id: `2025-05-20 09:14:03.218744~01985c1e-…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time by which the list is sorted.
    pub at: Timestamp,
    /// The row's UUID; it sorts rows of the same time.
    pub id: String,
}

/// The text is not a cursor as this daemon writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotACursor;

/// How a cursor writes its time.
const TIME: &str = "%Y-%m-%d %H:%M:%S%.6f";

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.at.naive().format(TIME), self.id)
    }
}

impl FromStr for Cursor {
    type Err = NotACursor;

    fn from_str(text: &str) -> Result<Cursor, NotACursor> {
        let (at, id) = text.split_once('~').filter(|(_, id)| is_uuid(id)).ok_or(NotACursor)?;
        let at = NaiveDateTime::parse_from_str(at, TIME).map_err(|_| NotACursor)?;
        let cursor = Cursor { at: at.and_utc().into(), id: id.to_owned() };
        // The parser also takes other spellings of the same time.
        if cursor.to_string() == text { Ok(cursor) } else { Err(NotACursor) }
    }
}

/// Whether it is a UUID in the form in which PostgreSQL writes one: 32 hexadecimal digits, four hyphens.
pub fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(n, byte)| match n {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_strictly() {
        let id = "01985c1e-0c4a-7b7e-9d3a-5f2f0a6f4b11";
        let text = format!("2025-05-20 09:14:03.218744~{id}");
        let cursor: Cursor = text.parse().expect("a cursor");
        assert_eq!((cursor.to_string(), cursor.id.as_str()), (text, id));
        for text in [
            "",
            "x",
            "2025-05-20 09:14:03.218744",
            "2025-05-20 09:14:03.218744~x",
            &format!("now~{id}"),
            &format!("infinity~{id}"),
            &format!("2025-02-30 09:14:03.218744~{id}"),
            &format!("2025-5-20 09:14:03.218744~{id}"),
            &format!("2025-05-20 09:14:03~{id}"),
            &format!("2025-05-20 09:14:03.2187440~{id}"),
        ] {
            assert_eq!(text.parse::<Cursor>(), Err(NotACursor), "{text}");
        }
    }
}
