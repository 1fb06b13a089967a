//! The unknown outcomes of all accounts, newest first, each with links to settle it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Frames, Page, Problem, ROWS_MAX, read_cursor, rendered};
use crate::console::kind::{FROM_UNKNOWN, Kind};
use crate::console::lists::{self, List, ListQuery};
use crate::console::scope::{DATABASE, Row, each};
use crate::console::sessions::Visitor;
use crate::console::span::wanted;
use crate::console::{Console, links};
use crate::db::Session;
use crate::db::account::ACTIONS;
use crate::db::console::Frame;
use crate::db::console::logs::{Of, UNKNOWN_COUNTED_MAX, Unknown};
use crate::db::cursor::Cursor;
use crate::error::Result;

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct UnknownQuery {
    after: String,
    /// The account of the place in the list.
    account: String,
    /// Of this account.
    of: String,
    /// Of this action.
    action: String,
    /// Reserved from this instant on, UTC.
    since: String,
    /// Reserved before this instant, UTC.
    before: String,
}

impl UnknownQuery {
    /// Which outcomes these are.
    ///
    /// # Errors
    ///
    /// A page with status 400.
    fn which(&self) -> std::result::Result<Of<'_>, Problem> {
        wanted(&self.of, &self.action, &self.since, &self.before)
    }

    fn link(&self, after: &str, account: &str) -> String {
        let of =
            [("of", &*self.of), ("action", &self.action), ("since", &self.since), ("before", &self.before)];
        links::query("/unknown", &[&of[..], &[("after", after), ("account", account)]].concat())
    }
}

#[derive(Template)]
#[template(path = "unknown.html")]
struct UnknownPage {
    page: Page,
    outcomes: Vec<Row<Unknown>>,
    query: UnknownQuery,
    /// How many the filter found, if there is one.
    counted: Option<i64>,
    is_first: bool,
    first: String,
    next: Option<String>,
}

impl UnknownPage {
    fn account_link(&self, unknown: &Row<Unknown>) -> String {
        unknown.link(|unknown| links::account(unknown.operation.account_id.raw()))
    }

    /// The buttons that settle all of these, in the databases that the page is about; there are none without a filter. Those
    /// of an account are settled in its database, if only one has it.
    fn settle_all(&self) -> Vec<(&'static str, String)> {
        let is_narrow =
            !(self.query.of.is_empty() && self.query.since.is_empty() && self.query.before.is_empty());
        let Some(first) =
            self.outcomes.first().filter(|_| is_narrow && self.page.may(Kind::AllSent.function()))
        else {
            return Vec::new();
        };
        let is_of_account = !self.query.of.is_empty();
        if is_of_account && self.outcomes.iter().any(|outcome| outcome.database != first.database) {
            return Vec::new();
        }
        let home = first.database.as_ref().filter(|_| is_of_account).map_or("", |name| name);
        let link = |kind: Kind| {
            let values = [
                ("do", kind.name()),
                ("id", &self.query.of),
                ("item", &self.query.action),
                ("since", &self.query.since),
                ("before", &self.query.before),
            ];
            let named = [&values[..], &[(DATABASE, home)]].concat();
            let values = if home.is_empty() { &values[..] } else { &named[..] };
            (kind.label(), links::query("/act", values))
        };
        vec![link(Kind::AllSent), link(Kind::AllNotSent)]
    }

    /// The same list from its newest on, as a file of values.
    fn as_csv(&self) -> String {
        let query = &self.query;
        let of = [
            ("of", &*query.of),
            ("action", &query.action),
            ("since", &query.since),
            ("before", &query.before),
        ];
        links::query("/unknown", &[&of[..], &[("format", "csv")]].concat())
    }

    fn is_action(&self, action: &str) -> bool {
        self.query.action == action
    }

    fn found(&self) -> Option<String> {
        Some(match self.counted? {
            UNKNOWN_COUNTED_MAX => format!("{UNKNOWN_COUNTED_MAX} or more"),
            1 => "1 is like that".to_owned(),
            more => format!("{more} are like that"),
        })
    }

    fn prospect_link(&self, unknown: &Row<Unknown>) -> String {
        unknown.link(|unknown| links::prospect(unknown.operation.prospect_id.raw()))
    }

    fn settle(&self, unknown: &Row<Unknown>, sent: bool) -> String {
        let kind = if sent { Kind::Sent } else { Kind::NotSent };
        unknown.link(|unknown| {
            kind.link_from(FROM_UNKNOWN, unknown.operation.account_id.raw(), &unknown.operation.operation_id)
        })
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<UnknownQuery>,
    Query(list): Query<ListQuery>,
) -> Answer {
    if lists::is_csv(&list.format) {
        return lists::csv(&console, List::Unknown, &list).await;
    }
    let after = read_cursor(&query.after, "/unknown")?;
    let after = after.as_ref().map(|after| (after, query.account.as_str()));
    let of = query.which()?;
    let found = each!(console, |session, _member| gather(session, of, after))?;
    let (frames, outcomes, counted) = found.split3();
    let mut outcomes = outcomes.newest(ROWS_MAX as usize + 1, |unknown| {
        let operation = &unknown.operation;
        (unknown.unknown_since, operation.operation_id.clone(), operation.account_id.raw().to_owned())
    });
    let counted = counted.all().into_iter().sum::<Option<i64>>().map(|sum| sum.min(UNKNOWN_COUNTED_MAX));
    let has_more = outcomes.len() as i64 > ROWS_MAX;
    outcomes.truncate(ROWS_MAX as usize);
    let next = outcomes
        .last()
        .filter(|_| has_more)
        .map(|last| query.link(&last.cursor().to_string(), last.operation.account_id.raw()));
    Ok(rendered(&UnknownPage {
        page: Page::new(&console, "unknown", Frames(frames), visitor, &uri).titled("Unknown outcomes"),
        is_first: after.is_none(),
        first: query.link("", ""),
        counted,
        outcomes,
        next,
        query,
    }))
}

async fn gather(
    session: &Session,
    of: Of<'_>,
    after: Option<(&Cursor, &str)>,
) -> Result<(Frame, Vec<Unknown>, Option<i64>)> {
    let counted = async {
        match of.is_all() {
            true => Ok(None),
            false => session.unknown_counted(of).await.map(Some),
        }
    };
    tokio::try_join!(session.console_frame(), session.unknown_outcomes(of, after, ROWS_MAX + 1), counted)
}
