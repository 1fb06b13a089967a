//! Who changed what: the admin log, newest first.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use chrono::DateTime;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Answer, Frames, Page, ROWS_MAX, read_cursor, rendered, spoken};
use crate::console::scope::{Answers, Row, each};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::console::admin_log::{LOOKED_AT_MAX, Line, Lines, Wanted};
use crate::db::cursor::Cursor;
use crate::db::{Timestamp, Untrusted};

/// Longest value that a cell shows, in characters.
const VALUE_CHARACTERS_MAX: usize = 300;
/// An instant as the log has it: PostgreSQL's own text.
const AS_POSTGRESQL: &str = "%Y-%m-%d %H:%M:%S%.f%#z";

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct LogQuery {
    account: String,
    actor: String,
    verb: String,
    after: String,
}

#[derive(Template)]
#[template(path = "log.html")]
struct LogPage {
    page: Page,
    query: LogQuery,
    /// None: the daemon's login may not read the log.
    lines: Option<Vec<Row<Line>>>,
    is_first: bool,
    first: String,
    next: Option<String>,
    stopped_short: bool,
}

impl LogQuery {
    fn link(&self, after: &str) -> String {
        let values =
            [("account", &*self.account), ("actor", &self.actor), ("verb", &self.verb), ("after", after)];
        links::query("/log", &values)
    }
}

impl LogPage {
    fn account_link(&self, line: &Row<Line>) -> String {
        line.link(|line| links::account(line.account_id.as_ref().map_or("", |account| account.raw())))
    }

    /// The value before, as far as it changed.
    fn before(&self, line: &Line) -> Option<Untrusted> {
        changed(line.before.as_ref(), line.after.as_ref()).map(|value| shortened(&value))
    }

    /// The value afterwards, as far as it changed.
    fn after(&self, line: &Line) -> Option<Untrusted> {
        changed(line.after.as_ref(), line.before.as_ref()).map(|value| shortened(&value))
    }

    fn looked(&self) -> i64 {
        LOOKED_AT_MAX
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<LogQuery>,
) -> Answer {
    let after = read_cursor(&query.after, "/log")?;
    let wanted =
        Wanted { account: named(&query.account), actor: named(&query.actor), verb: named(&query.verb) };
    let place = after.as_ref();
    let found = each!(console, |session, _member| async {
        let lines = session.admin_log(wanted, place, ROWS_MAX + 1);
        tokio::try_join!(session.console_frame(), lines)
    })?;
    let (frames, found) = found.split2();
    let (lines, stopped_at) = of_all(found);
    let has_more = lines.as_ref().is_some_and(|lines| lines.len() as i64 > ROWS_MAX);
    let lines = lines.map(|mut lines| {
        lines.truncate(ROWS_MAX as usize);
        lines
    });
    let last = lines.as_ref().and_then(|lines| lines.last()).filter(|_| has_more).map(|line| line.cursor());
    let next = last.or_else(|| stopped_at.clone()).map(|place| query.link(&place.to_string()));
    Ok(rendered(&LogPage {
        page: Page::new(&console, "log", Frames(frames), visitor, &uri).titled("Who did what"),
        first: query.link(""),
        is_first: after.is_none(),
        stopped_short: !has_more && stopped_at.is_some(),
        query,
        lines,
        next,
    }))
}

/// The part of a value that differs from the other one; where there is no other, the part that is not empty. All of it if
/// nothing is left.
fn changed(value: Option<&Value>, other: Option<&Value>) -> Option<Value> {
    let Value::Object(fields) = value? else { return value.cloned() };
    let differs = |name: &String, value: &Value| match other {
        Some(Value::Object(others)) => others.get(name).unwrap_or(&Value::Null) != value,
        _ => !value.is_null(),
    };
    let left: Map<String, Value> = fields
        .iter()
        .filter(|(name, value)| differs(name, value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Some(Value::Object(if left.is_empty() { fields.clone() } else { left }))
}

/// A value in words, cut if it is long.
fn shortened(value: &Value) -> Untrusted {
    let text = told(value);
    let cut: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
    Untrusted::from(if cut.len() < text.len() { format!("{cut}…") } else { cut })
}

/// A value as people read it: instants in the reader's zone, whole numbers without a fraction, names without underscores, and a dash for none.
pub fn told(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => match DateTime::parse_from_str(text, AS_POSTGRESQL) {
            Ok(instant) => Timestamp::from(instant.to_utc()).to_string(),
            Err(_) => text.clone(),
        },
        Value::Number(number) => match number.as_f64() {
            Some(whole) if whole.fract() == 0.0 => format!("{whole:.0}"),
            _ => number.to_string(),
        },
        Value::Array(values) => values.iter().map(told).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}: {}", spoken(name), told(value));
            fields.iter().map(field).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
}

/// The lines of all databases, newest first (ids are made in the order of time), as far as each of them was looked at; none if no login may read them.
fn of_all(found: Answers<Option<Lines>>) -> (Option<Vec<Row<Line>>>, Option<Cursor>) {
    if found.0.iter().all(|(_, lines)| lines.is_none()) {
        return (None, None);
    }
    let mut stopped_at: Option<Cursor> = None;
    let mut lines = Vec::new();
    for (name, found) in found.0 {
        let Some(found) = found else { continue };
        // Where one stopped first, nothing is known of what comes later.
        stopped_at = match (stopped_at, found.stopped_at) {
            (Some(one), Some(other)) => Some(if one.id < other.id { other } else { one }),
            (one, other) => one.or(other),
        };
        lines.push((name, found.lines));
    }
    let mut lines = Answers(lines).newest(ROWS_MAX as usize + 1, |line| line.id.clone());
    if let Some(stopped_at) = &stopped_at {
        lines.retain(|line| line.id >= stopped_at.id);
    }
    (Some(lines), stopped_at)
}

/// An empty field asks for nothing.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_told_without_braces() {
        assert_eq!(told(&json!("paused")), "paused");
        assert_eq!(told(&json!({"daily_cap": 15, "weekly_cap": null})), "daily cap: 15; weekly cap: –");
        assert_eq!(told(&json!({"window_days": [1, 2], "ramp": true})), "ramp: true; window days: 1, 2");
        assert_eq!(told(&json!({"minimum_gap_seconds": 3000.0})), "minimum gap seconds: 3000");
        assert_eq!(told(&json!([0.5, "2026-11-30 22:35:38.012533+00"])), "0.5, 2026-11-30 22:35:38");
    }

    #[test]
    fn a_line_tells_what_changed() {
        let (before, after) =
            (json!({"daily_cap": null, "weekly_cap": null}), json!({"daily_cap": 15, "weekly_cap": null}));
        assert_eq!(changed(Some(&before), Some(&after)), Some(json!({"daily_cap": null})));
        assert_eq!(changed(Some(&after), Some(&before)), Some(json!({"daily_cap": 15})));
        // Of what is new, what it has; of what is set anew to the same, all.
        let made = json!({"tier": "free", "window_start": null});
        assert_eq!(changed(Some(&made), None), Some(json!({"tier": "free"})));
        assert_eq!(changed(Some(&before), Some(&before)), Some(before.clone()));
        assert_eq!(changed(Some(&json!("paused")), Some(&json!("paused"))), Some(json!("paused")));
        assert_eq!(changed(None, Some(&after)), None);
    }
}
