//! The campaigns' log: skipped work and the reasons.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Frames, Page, ROWS_MAX, read_cursor, rendered};
use crate::console::lists::{self, List, ListQuery};
use crate::console::scope::{Row, each};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::console::logs::Event;

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventsQuery {
    account: String,
    campaign: String,
    after: String,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    page: Page,
    account: String,
    campaign: String,
    events: Vec<Row<Event>>,
    is_first: bool,
    first: String,
    next: Option<String>,
}

impl EventsPage {
    fn account_link(&self, event: &Row<Event>) -> String {
        event.link(|event| links::account(event.account_id.raw()))
    }

    /// The same list from its newest event on, as a file of values.
    fn as_csv(&self) -> String {
        let values = [("account", &*self.account), ("campaign", &self.campaign), ("format", "csv")];
        links::query("/events", &values)
    }

    fn prospect_link(&self, event: &Row<Event>) -> String {
        event.link(|event| links::prospect(event.prospect_id.as_ref().map_or("", |prospect| prospect.raw())))
    }

    fn campaign_link(&self, event: &Row<Event>) -> String {
        links::events(&self.account, event.campaign_id.as_ref().map_or("", |campaign| campaign.raw()), "")
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<EventsQuery>,
    Query(list): Query<ListQuery>,
) -> Answer {
    if lists::is_csv(&list.format) {
        return lists::csv(&console, List::Events, &list).await;
    }
    let after = read_cursor(&query.after, "/events")?;
    let (account, campaign, place) = (named(&query.account), named(&query.campaign), after.as_ref());
    let found = each!(console, |session, _member| async {
        let log = session.campaign_log(account, campaign, place, ROWS_MAX + 1);
        tokio::try_join!(session.console_frame(), log)
    })?;
    let (frames, events) = found.split2();
    let mut events = events.newest(ROWS_MAX as usize + 1, |event| (event.at, event.id.clone()));
    let has_more = events.len() as i64 > ROWS_MAX;
    events.truncate(ROWS_MAX as usize);
    let last = events.last().filter(|_| has_more);
    let next = last.map(|event| links::events(&query.account, &query.campaign, &event.cursor().to_string()));
    Ok(rendered(&EventsPage {
        page: Page::new(&console, "events", Frames(frames), visitor, &uri).titled("Campaign events"),
        first: links::events(&query.account, &query.campaign, ""),
        is_first: after.is_none(),
        account: query.account,
        campaign: query.campaign,
        events,
        next,
    }))
}

/// An empty field asks for nothing.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
