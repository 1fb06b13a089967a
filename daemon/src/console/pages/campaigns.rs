//! The campaigns: how far each is, which are paused, and what each may take.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Frames, Page, ROWS_MAX, rendered};
use crate::console::acts::limited;
use crate::console::scope::{Answers, Row, each};
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
    campaigns: Vec<Row<Campaign>>,
    is_first: bool,
    next: Option<String>,
}

impl CampaignsPage {
    fn link(&self, campaign: &Row<Campaign>) -> String {
        campaign.link(|campaign| links::campaign(campaign.campaign_id.raw()))
    }

    fn first(&self) -> String {
        links::query("/campaigns", &[])
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
    let after = query.after.as_str();
    let found = each!(console, |session, _member| async {
        tokio::try_join!(session.console_frame(), session.campaigns(after, ROWS_MAX + 1))
    })?;
    let (frames, campaigns) = found.split2();
    let (campaigns, has_more) = put_together(campaigns);
    let next = campaigns
        .last()
        .filter(|_| has_more)
        .map(|last| links::query("/campaigns", &[("after", last.campaign_id.raw())]));
    Ok(rendered(&CampaignsPage {
        page: Page::new(&console, "campaigns", Frames(frames), visitor, &uri).titled("Campaigns"),
        is_first: query.after.is_empty(),
        campaigns,
        next,
    }))
}

/// The campaigns of all databases by id, and whether there are more. One that is in several databases is on one page with
/// all of its lines, so a page may have a few more.
fn put_together(campaigns: Answers<Vec<Campaign>>) -> (Vec<Row<Campaign>>, bool) {
    let of_each = campaigns.0.into_iter();
    let mut rows: Vec<Row<Campaign>> = of_each
        .flat_map(|(name, campaigns)| {
            campaigns.into_iter().map(move |campaign| Row::of(name.clone(), campaign))
        })
        .collect();
    // The sort is stable: lines of one campaign stay in the order of the databases.
    rows.sort_by(|a, b| a.campaign_id.raw().cmp(b.campaign_id.raw()));
    let rows_max = ROWS_MAX as usize;
    if rows.len() <= rows_max {
        return (rows, false);
    }
    let last = rows[rows_max - 1].campaign_id.raw().to_owned();
    let whole = rows.iter().take_while(|row| row.campaign_id.raw() <= last.as_str()).count();
    let has_more = whole < rows.len();
    rows.truncate(whole);
    (rows, has_more)
}
