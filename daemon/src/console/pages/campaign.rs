//! One campaign: its work by state, its pause and limits, and what of it waits for a person. Where several databases are
//! served, of one or of all together.

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use chrono::{Days, NaiveTime};
use serde::Deserialize;

use super::prospect::{put_back, stands};
use super::{Answer, Frames, Page, Problem, ROWS_MAX, check_id, rendered};
use crate::console::acts::limited;
use crate::console::kind::Kind;
use crate::console::scope::{Name, Row, each, look_on, within};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::account::ACTIONS;
use crate::db::console::campaigns::{Campaign, Full, LOOKED_AT_MAX, Limits, States};
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
    /// Its pause and limits in each database.
    parts: Vec<Row<Campaign>>,
    by_action: Vec<States>,
    parked: Vec<Row<Enrollment>>,
    full: Vec<Row<Full>>,
    at: Timestamp,
    is_first: bool,
    first: String,
    /// Labels and addresses where the page looks through more work.
    next: Vec<(String, String)>,
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<CampaignQuery>,
) -> Answer {
    check_id(&query.id)?;
    let (id, after) = (query.id.as_str(), query.after.as_str());
    let found = each!(console, |session, _member| async {
        tokio::try_join!(session.console_frame(), session.campaign_course(id, after, &ACTIONS, ROWS_MAX))
    })?;
    let (frames, courses) = found.split2();
    let Some(at) = frames.0.iter().map(|(_, frame)| frame.at).max() else {
        return Err(Problem::none_answers());
    };
    let (mut parts, mut full, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let mut by_action = Vec::new();
    let (parked, courses) = courses.map(|mut course| (std::mem::take(&mut course.parked), course)).split2();
    for (name, course) in courses.0 {
        parts.push(Row::of(name.clone(), course.campaign));
        full.extend(course.full.into_iter().map(|full| Row::of(name.clone(), full)));
        add_up(&mut by_action, course.by_action);
        ends.push((name, course.last));
    }
    let parked = parked.newest(ROWS_MAX as usize, |work| work.changed_at);
    let title = Untrusted::from(query.id.clone()).to_string();
    Ok(rendered(&CampaignPage {
        page: Page::new(&console, "campaigns", Frames(frames), visitor, &uri).titled(title),
        first: links::campaign(id),
        is_first: query.after.is_empty(),
        next: look_on(&ends, |last| links::query("/campaign", &[("id", id), ("after", last)])),
        id: query.id,
        parts,
        by_action,
        parked,
        full,
        at,
    }))
}

/// Adds the work of one database to that of others, by action.
fn add_up(sums: &mut Vec<States>, of_one: Vec<States>) {
    for states in of_one {
        match sums.iter_mut().find(|sum| sum.action == states.action) {
            Some(sum) => sum.add(&states),
            None => sums.push(states),
        }
    }
    let place = |action: &str| ACTIONS.iter().position(|known| *known == action);
    sums.sort_by_key(|states| place(&states.action));
}

impl CampaignPage {
    /// The labels and addresses of the acts that this visitor can do.
    fn acts(&self) -> Vec<(&'static str, String)> {
        let mut kinds = Vec::new();
        if self.parts.iter().any(|part| part.paused.is_none()) {
            kinds.push(Kind::PauseCampaign);
        }
        if self.parts.iter().any(|part| part.paused.is_some()) {
            kinds.push(Kind::ResumeCampaign);
        }
        kinds.extend([Kind::Limits, Kind::SwitchAction]);
        if !self.parked.is_empty() {
            kinds.push(Kind::RequeueParked);
        }
        let may = |kind: &Kind| self.page.may(kind.function());
        kinds.into_iter().filter(may).map(|kind| (kind.label(), kind.link(&self.id, ""))).collect()
    }

    /// Its pause and limits: once if they are the same in all databases, or else of each with its name.
    fn standing(&self) -> Vec<(Option<&Arc<str>>, &Campaign)> {
        let of = |part: &Row<Campaign>| (part.paused.is_some(), part.limits.as_ref().map(Limits::all));
        let mut parts = self.parts.iter();
        match parts.next() {
            Some(first) if parts.all(|part| of(part) == of(first)) => vec![(None, &**first)],
            _ => self.parts.iter().map(|part| (part.told(), &**part)).collect(),
        }
    }

    fn limits(&self, campaign: &Campaign) -> String {
        limited(campaign.limits.as_ref())
    }

    fn limited(&self, limits: &Limits) -> String {
        limited(Some(limits))
    }

    /// Limits that are in force in a database.
    fn some_limits(&self) -> Option<&Limits> {
        self.parts.iter().find_map(|part| part.limits.as_ref())
    }

    /// Accounts whose part of the day is used up: id, address and what of it.
    fn full(&self) -> Vec<(&Untrusted, String, String)> {
        let line = |full: &Full| format!("{}: {}", super::action_name(&full.action), full.taken);
        self.full
            .iter()
            .map(|full| {
                (&full.account_id, full.link(|full| links::account(full.account_id.raw())), line(full))
            })
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

    fn account_link(&self, database: &Name, account: &Untrusted) -> String {
        within(database, || links::account(account.raw()))
    }

    fn prospect_link(&self, work: &Enrollment) -> String {
        links::prospect(work.prospect_id.raw())
    }

    fn stands(&self, work: &Enrollment) -> String {
        stands(work, self.at)
    }

    fn put_back(&self, work: &Row<Enrollment>) -> Option<String> {
        within(&work.database, || put_back(&self.page, work, ""))
    }

    fn looked(&self) -> i64 {
        LOOKED_AT_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_several_databases_adds_up_by_action() {
        let states = |action: &str, due: i64| States { action: action.to_owned(), due, ..States::default() };
        let mut sums = Vec::new();
        add_up(&mut sums, vec![states("message", 1)]);
        add_up(&mut sums, vec![states("inmail", 2), states("message", 3)]);
        let found: Vec<(&str, i64)> = sums.iter().map(|sum| (sum.action.as_str(), sum.due)).collect();
        assert_eq!(found, [("inmail", 2), ("message", 4)]);
    }
}
