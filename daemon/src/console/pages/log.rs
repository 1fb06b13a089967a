//! Who changed what: the admin log, newest first.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, Page, ROWS_MAX, read_cursor, rendered, spoken};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::Untrusted;
use crate::db::console::admin_log::{LOOKED_AT_MAX, Line, Wanted};

/// Longest value that a cell shows, in characters.
const VALUE_CHARACTERS_MAX: usize = 300;

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
    lines: Option<Vec<Line>>,
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
    fn account_link(&self, account: &Untrusted) -> String {
        links::account(account.raw())
    }

    /// A value of the log, cut if it is long.
    fn value(&self, value: &Value) -> Untrusted {
        let text = told(value);
        let cut: String = text.chars().take(VALUE_CHARACTERS_MAX).collect();
        Untrusted::from(if cut.len() < text.len() { format!("{cut}…") } else { cut })
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
    let after = read_cursor(&query.after)?;
    let wanted =
        Wanted { account: named(&query.account), actor: named(&query.actor), verb: named(&query.verb) };
    let (frame, found) = console
        .turn(async |session| {
            let lines = session.admin_log(wanted, after.as_ref(), ROWS_MAX + 1);
            tokio::try_join!(session.console_frame(), lines)
        })
        .await?;
    let (lines, stopped_at) = found.map_or((None, None), |found| (Some(found.lines), found.stopped_at));
    let has_more = lines.as_ref().is_some_and(|lines| lines.len() as i64 > ROWS_MAX);
    let lines = lines.map(|mut lines| {
        lines.truncate(ROWS_MAX as usize);
        lines
    });
    let last = lines.as_ref().and_then(|lines| lines.last()).filter(|_| has_more).map(Line::cursor);
    let next = last.or_else(|| stopped_at.clone()).map(|place| query.link(&place.to_string()));
    Ok(rendered(&LogPage {
        page: Page::new(&console, "log", frame, visitor, &uri).titled("Who did what"),
        first: query.link(""),
        is_first: after.is_none(),
        stopped_short: !has_more && stopped_at.is_some(),
        query,
        lines,
        next,
    }))
}

/// A value as people read it: names without underscores, and a dash for none.
fn told(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(told).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| format!("{}: {}", spoken(name), told(value));
            fields.iter().map(field).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    }
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
    }
}
