//! One prospect: why this person was contacted, or was not, by any account.

mod held;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Page, check_id, rendered, spoken};
use crate::console::acts::FROM_PROSPECT;
use crate::console::kind::Kind;
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::Timestamp;
use crate::db::console::attempt::Attempt;
use crate::db::console::logs::Event;
use crate::db::console::prospect::{ACCOUNTS_MAX, Prospect, Suppression};
use crate::db::console::work::Enrollment;
use crate::words::explained;
use held::{Held, held};

/// Most rows of each list.
const LISTED_MAX: i64 = 100;

/// The address's query.
#[derive(Debug, Deserialize)]
pub struct ProspectQuery {
    id: String,
    /// The account after which the page looks through accounts.
    #[serde(default)]
    after: String,
}

#[derive(Template)]
#[template(path = "prospect.html")]
struct ProspectPage {
    page: Page,
    id: String,
    found: Prospect,
    at: Timestamp,
    first: String,
    is_first: bool,
    next: Option<String>,
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<ProspectQuery>,
) -> Answer {
    check_id(&query.id)?;
    let (frame, found) = console
        .turn(async |session| {
            tokio::try_join!(session.console_frame(), session.prospect(&query.id, &query.after, LISTED_MAX))
        })
        .await?;
    let title = crate::db::Untrusted::from(query.id.clone()).to_string();
    let at = frame.at;
    Ok(rendered(&ProspectPage {
        page: Page::new(&console, "campaigns", frame, visitor, &uri).titled(title),
        first: links::prospect(&query.id),
        is_first: query.after.is_empty(),
        next: found
            .last
            .as_ref()
            .map(|last| links::query("/prospect", &[("id", &query.id), ("after", last)])),
        id: query.id,
        found,
        at,
    }))
}

impl ProspectPage {
    /// The answer in sentences, the most telling first.
    fn answer(&self) -> Vec<String> {
        let mut said = Vec::new();
        let delivered: Vec<&Attempt> =
            self.found.attempts.iter().filter(|attempt| attempt.state == "delivered").collect();
        if let Some(last) = delivered.first() {
            said.push(format!(
                "It was contacted {}, last by {} through {} at {}.",
                times(delivered.len(), self.found.attempts.len() as i64 == LISTED_MAX),
                with_article(&last.action),
                last.account_id,
                last.occurred_at.unwrap_or(last.reserved_at)
            ));
        }
        let open = |attempt: &&Attempt| matches!(attempt.state.as_str(), "reserved" | "indeterminate");
        let unknown = self.found.attempts.iter().filter(open).count();
        if unknown > 0 {
            let of = if delivered.is_empty() { attempts(unknown) } else { format!("{unknown} more") };
            said.push(format!("Of {of} it is not known yet whether {} sent.", was(unknown)));
        }
        let failed = self.found.attempts.iter().filter(|attempt| attempt.state == "released").count();
        if failed > 0 {
            said.push(format!("{} sent nothing.", attempts(failed)));
        }
        let waiting = |work: &&Enrollment| matches!(work.state.as_str(), "waiting" | "sending");
        let waits = self.found.work.iter().filter(waiting).count();
        let parked = self.found.work.iter().filter(|work| work.state == "parked").count();
        if waits > 0 {
            said.push(format!("{} for it under way.", pieces(waits, "is", "are")));
        }
        if parked > 0 {
            said.push(format!("{} for a person.", pieces(parked, "waits", "wait")));
        }
        if said.is_empty() && !self.found.skips.is_empty() {
            said.push("It was never contacted: its work was skipped.".to_owned());
        }
        if said.is_empty() {
            said.push("Nothing is known of it here: no work, no attempt, no skip.".to_owned());
        }
        said
    }

    /// What holds the next send to it back.
    fn held(&self) -> Vec<Held> {
        held(&self.id, &self.found, self.at)
    }

    /// What helps against that, if this visitor can: its label and address.
    fn way<'a>(&self, held: &'a Held) -> Option<(&'static str, &'a str)> {
        let (label, link, function) = held.way.as_ref()?;
        function.is_none_or(|function| self.page.may(function)).then_some((*label, link.as_str()))
    }

    /// A suppression that is over.
    fn was_suppressed(&self) -> Option<&Suppression> {
        self.found.suppression.as_ref().filter(|found| !found.holds(self.at))
    }

    fn is_suppressed(&self) -> bool {
        self.found.suppression.as_ref().is_some_and(|found| found.holds(self.at))
    }

    fn account_link(&self, account: &crate::db::Untrusted) -> String {
        links::account(account.raw())
    }

    fn campaign_link(&self, campaign: &crate::db::Untrusted) -> String {
        links::campaign(campaign.raw())
    }

    /// The state of a piece of work in words.
    fn stands(&self, work: &Enrollment) -> String {
        stands(work, self.at)
    }

    fn ended<'a>(&self, attempt: &'a Attempt) -> &'a str {
        attempt.ended(self.at)
    }

    fn why<'a>(&self, event: &'a Event) -> &'a str {
        explained(&event.reason)
    }

    fn put_back(&self, work: &Enrollment) -> Option<String> {
        put_back(&self.page, work, FROM_PROSPECT)
    }

    /// The button against contact, if there is not the one that allows it again: its label and address.
    fn act(&self) -> Option<(&'static str, String)> {
        let kind = Kind::Suppress;
        (!self.is_suppressed() && self.page.may(kind.function()))
            .then(|| (kind.label(), kind.link(&self.id, "")))
    }

    fn looked(&self) -> i64 {
        ACCOUNTS_MAX
    }
}

/// The state of a piece of work in words.
pub fn stands(work: &Enrollment, now: Timestamp) -> String {
    let reason = work.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", explained(reason)));
    match (work.state.as_str(), work.next_dispatch_at) {
        ("waiting", _) if work.paused => "waits: its campaign is paused".to_owned(),
        ("waiting", Some(at)) if at > now => format!("waits until {at}{reason}"),
        ("waiting", Some(at)) => format!("due since {at}: its account's page says what holds it back"),
        ("waiting", None) => format!("waits for an operation to be settled{reason}"),
        ("sending", _) => "a worker has it".to_owned(),
        ("done", _) if work.reason.is_none() => "done: delivered".to_owned(),
        ("parked", _) => format!("parked{}", spoken(&reason)),
        (state, _) => format!("{state}{reason}"),
    }
}

/// The address that puts a piece of work back, if this visitor may.
pub fn put_back(page: &Page, work: &Enrollment, from: &str) -> Option<String> {
    (page.may(Kind::Requeue.function()) && work.can_be_put_back()).then(|| {
        links::query(
            "/act",
            &[
                ("do", Kind::Requeue.name()),
                ("id", work.campaign_id.raw()),
                ("item", &work.action),
                ("from", from),
                ("account", work.account_id.raw()),
                ("prospect", work.prospect_id.raw()),
                ("step", &work.step.to_string()),
            ],
        )
    })
}

/// How often, or at least how often if there may be more.
fn times(count: usize, or_more: bool) -> String {
    match count {
        more if or_more => format!("{more} times or more"),
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

fn with_article(action: &str) -> String {
    let name = super::action_name(action);
    let article = if name.starts_with(['A', 'E', 'I', 'O', 'U']) { "an" } else { "a" };
    format!("{article} {}", if name == "InMail" { name.to_owned() } else { name.to_lowercase() })
}

fn was(count: usize) -> &'static str {
    if count == 1 { "it was" } else { "they were" }
}

fn attempts(count: usize) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

fn pieces(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 piece of work {one}") } else { format!("{count} pieces of work {more}") }
}
