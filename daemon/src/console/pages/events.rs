//! The campaigns' log: what prospects were spared and why.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, ROWS_MAX, place, read_place, rendered};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::Link;
use crate::db::console::Frame;
use crate::db::console::logs::{After, Event};
use crate::error::Result;

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
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
    events: Vec<Event>,
    is_first: bool,
    first: String,
    next: Option<String>,
}

impl EventsPage {
    fn account_link(&self, event: &Event) -> String {
        links::account(event.account.raw())
    }

    fn campaign_link(&self, event: &Event) -> String {
        links::events(&self.account, event.campaign.as_ref().map_or("", |campaign| campaign.raw()), "")
    }

    fn second<'a>(&self, event: &'a Event) -> &'a str {
        &event.place.at[..19]
    }
}

/// Shows it.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(wanted): Query<Wanted>,
) -> Answer {
    let after = read_place(&wanted.after)?;
    let mut link = console.link.turn().await?;
    let found = gather(&mut link, &wanted, after.as_ref()).await;
    let (frame, mut events) = link.settled(found).await?;
    drop(link);
    let has_more = events.len() as i64 > ROWS_MAX;
    events.truncate(ROWS_MAX as usize);
    let last = events.last().filter(|_| has_more);
    let next = last.map(|event| links::events(&wanted.account, &wanted.campaign, &place(&event.place)));
    Ok(rendered(&EventsPage {
        page: Page::new(&console, "events", frame, visitor, &uri).titled("Campaign events"),
        first: links::events(&wanted.account, &wanted.campaign, ""),
        is_first: after.is_none(),
        account: wanted.account,
        campaign: wanted.campaign,
        events,
        next,
    }))
}

async fn gather(link: &mut Link, wanted: &Wanted, after: Option<&After>) -> Result<(Frame, Vec<Event>)> {
    let session = link.session().await?;
    let (account, campaign) = (named(&wanted.account), named(&wanted.campaign));
    tokio::try_join!(session.console_frame(), session.campaign_log(account, campaign, after, ROWS_MAX + 1))
}

/// A field that was left empty asks for nothing.
fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
