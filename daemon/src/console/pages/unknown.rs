//! The unknown outcomes of all accounts, newest first, each with links to settle it.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, ROWS_MAX, read_cursor, rendered};
use crate::console::kind::{FROM_UNKNOWN, Kind};
use crate::console::lists::{self, List, ListQuery};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::console::logs::Unknown;

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct UnknownQuery {
    after: String,
    account: String,
}

#[derive(Template)]
#[template(path = "unknown.html")]
struct UnknownPage {
    page: Page,
    outcomes: Vec<Unknown>,
    is_first: bool,
    next: Option<String>,
}

impl UnknownPage {
    fn account_link(&self, unknown: &Unknown) -> String {
        links::account(unknown.operation.account_id.raw())
    }

    fn settle(&self, unknown: &Unknown, sent: bool) -> String {
        let kind = if sent { Kind::Sent } else { Kind::NotSent };
        kind.link_from(FROM_UNKNOWN, unknown.operation.account_id.raw(), &unknown.operation.operation_id)
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
    let after = read_cursor(&query.after)?;
    let after = after.as_ref().map(|after| (after, query.account.as_str()));
    let (frame, mut outcomes) = console
        .turn(async |session| {
            tokio::try_join!(session.console_frame(), session.unknown_outcomes(after, ROWS_MAX + 1))
        })
        .await?;
    let has_more = outcomes.len() as i64 > ROWS_MAX;
    outcomes.truncate(ROWS_MAX as usize);
    let next = outcomes.last().filter(|_| has_more).map(|last| {
        links::query(
            "/unknown",
            &[("after", &last.cursor().to_string()), ("account", last.operation.account_id.raw())],
        )
    });
    Ok(rendered(&UnknownPage {
        page: Page::new(&console, "unknown", frame, visitor, &uri).titled("Unknown outcomes"),
        is_first: after.is_none(),
        outcomes,
        next,
    }))
}
