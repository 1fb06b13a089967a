//! The campaigns: how far each is, which are paused, and what each may take.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, ROWS_MAX, rendered};
use crate::console::acts::limited;
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::console::campaigns::{COUNTED_IN_LIST, Campaign, States};

/// The address's query.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CampaignsQuery {
    after: String,
}

#[derive(Template)]
#[template(path = "campaigns.html")]
struct CampaignsPage {
    page: Page,
    campaigns: Vec<Campaign>,
    is_first: bool,
    next: Option<String>,
}

impl CampaignsPage {
    fn link(&self, campaign: &Campaign) -> String {
        links::campaign(campaign.campaign_id.raw())
    }

    fn limits(&self, campaign: &Campaign) -> String {
        campaign.limits.as_ref().map_or_else(|| "–".to_owned(), |limits| limited(Some(limits)))
    }

    /// Whether more work is there than was counted.
    fn is_part(&self, work: &States) -> bool {
        work.counted >= COUNTED_IN_LIST
    }

    fn counted(&self) -> i64 {
        COUNTED_IN_LIST
    }

    fn any_is_part(&self) -> bool {
        self.campaigns.iter().filter_map(|campaign| campaign.work.as_ref()).any(|work| self.is_part(work))
    }
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<CampaignsQuery>,
) -> Answer {
    let (frame, mut campaigns) = console
        .turn(async |session| {
            tokio::try_join!(session.console_frame(), session.campaigns(&query.after, ROWS_MAX + 1))
        })
        .await?;
    let has_more = campaigns.len() as i64 > ROWS_MAX;
    campaigns.truncate(ROWS_MAX as usize);
    let next = campaigns
        .last()
        .filter(|_| has_more)
        .map(|last| links::query("/campaigns", &[("after", last.campaign_id.raw())]));
    Ok(rendered(&CampaignsPage {
        page: Page::new(&console, "campaigns", frame, visitor, &uri).titled("Campaigns"),
        is_first: query.after.is_empty(),
        campaigns,
        next,
    }))
}
