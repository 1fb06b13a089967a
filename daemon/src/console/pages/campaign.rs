//! One campaign: its work by state, its pause and limits, and what of it waits for a person.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use chrono::{Days, NaiveTime};
use serde::Deserialize;

use super::prospect::{put_back, stands};
use super::{Answer, Page, ROWS_MAX, check_id, rendered};
use crate::console::acts::limited;
use crate::console::kind::Kind;
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::account::ACTIONS;
use crate::db::console::campaigns::{Course, Full, LOOKED_AT_MAX};
use crate::db::console::work::Enrollment;
use crate::db::{Timestamp, Untrusted};
use crate::words::explained;

/// The address's query.
#[derive(Debug, Deserialize)]
pub struct CampaignQuery {
    id: String,
    /// The prospect from which the page looks through work.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "campaign.html")]
struct CampaignPage {
    page: Page,
    id: String,
    course: Course,
    at: Timestamp,
    is_first: bool,
    first: String,
    next: Option<String>,
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<CampaignQuery>,
) -> Answer {
    check_id(&query.id)?;
    let (frame, course) = console
        .turn(async |session| {
            let course = session.campaign_course(&query.id, &query.after, &ACTIONS, ROWS_MAX);
            tokio::try_join!(session.console_frame(), course)
        })
        .await?;
    let at = frame.at;
    let title = Untrusted::from(query.id.clone()).to_string();
    Ok(rendered(&CampaignPage {
        page: Page::new(&console, "campaigns", frame, visitor, &uri).titled(title),
        first: links::campaign(&query.id),
        is_first: query.after.is_empty(),
        next: course
            .last
            .as_ref()
            .map(|last| links::query("/campaign", &[("id", &query.id), ("after", last)])),
        id: query.id,
        course,
        at,
    }))
}

impl CampaignPage {
    /// The labels and addresses of the acts that this visitor can do.
    fn acts(&self) -> Vec<(&'static str, String)> {
        let pause =
            if self.course.campaign.paused.is_some() { Kind::ResumeCampaign } else { Kind::PauseCampaign };
        let mut kinds = vec![pause, Kind::Limits, Kind::SwitchAction];
        if !self.course.parked.is_empty() {
            kinds.push(Kind::RequeueParked);
        }
        let may = |kind: &Kind| self.page.may(kind.function());
        kinds.into_iter().filter(may).map(|kind| (kind.label(), kind.link(&self.id, ""))).collect()
    }

    fn limits(&self) -> String {
        limited(self.course.campaign.limits.as_ref())
    }

    /// Accounts whose part of the day is used up: id, address and what of it.
    fn full(&self) -> Vec<(&Untrusted, String, String)> {
        let line = |full: &Full| format!("{}: {}", super::action_name(&full.action), full.taken);
        self.course
            .full
            .iter()
            .map(|full| (&full.account_id, links::account(full.account_id.raw()), line(full)))
            .collect()
    }

    /// The gate's reason in words.
    fn limit_reached(&self) -> &str {
        explained("campaign_limit_reached")
    }

    /// When the next part of each account's day begins.
    fn midnight(&self) -> Timestamp {
        Timestamp::from((self.at.day() + Days::new(1)).and_time(NaiveTime::MIN).and_utc())
    }

    fn events(&self) -> String {
        links::events("", &self.id, "")
    }

    fn account_link(&self, work: &Enrollment) -> String {
        links::account(work.account_id.raw())
    }

    fn prospect_link(&self, work: &Enrollment) -> String {
        links::prospect(work.prospect_id.raw())
    }

    fn stands(&self, work: &Enrollment) -> String {
        stands(work, self.at)
    }

    fn put_back(&self, work: &Enrollment) -> Option<String> {
        put_back(&self.page, work, "")
    }

    fn looked(&self) -> i64 {
        LOOKED_AT_MAX
    }
}
