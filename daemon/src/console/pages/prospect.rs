//! One prospect: why this person was contacted, or was not, by any account; where several databases are served, of one or
//! of all together.

mod held;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Query, State};
use axum::http::Uri;
use serde::Deserialize;

use super::{Answer, Frames, Page, Problem, check_id, rendered, spoken};
use crate::console::acts::FROM_PROSPECT;
use crate::console::kind::Kind;
use crate::console::scope::{Answers, Name, Row, each, look_on, within};
use crate::console::sessions::Visitor;
use crate::console::{Console, links};
use crate::db::Timestamp;
use crate::db::console::attempt::Attempt;
use crate::db::console::logs::Event;
use crate::db::console::prospect::{ACCOUNTS_MAX, ASKED_MAX, Prospect, Suppression};
use crate::db::console::work::Enrollment;
use crate::words::explained;
use held::{Held, held};

/// Most rows of each list.
const LISTED_MAX: i64 = 100;
/// So many rows of each list are seen at once; the others are in a fold.
const LISTED_OPEN: usize = 10;

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
    held: Vec<Row<Held>>,
    /// The suppression in each database, also one that is over.
    suppressions: Vec<Option<Suppression>>,
    work: Vec<Row<Enrollment>>,
    attempts: Vec<Row<Attempt>>,
    skips: Vec<Row<Event>>,
    /// Whether the gate may not have been asked about all accounts and actions.
    asked_in_part: bool,
    at: Timestamp,
    first: String,
    is_first: bool,
    /// Labels and addresses where the page looks through more accounts.
    next: Vec<(String, String)>,
}

/// Shows the page.
pub async fn show(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<ProspectQuery>,
) -> Answer {
    check_id(&query.id)?;
    let (id, after) = (query.id.as_str(), query.after.as_str());
    let found = each!(console, |session, _member| async {
        tokio::try_join!(session.console_frame(), session.prospect(id, after, LISTED_MAX))
    })?;
    let (frames, found) = found.split2();
    let Some(at) = frames.0.iter().map(|(_, frame)| frame.at).max() else {
        return Err(Problem::none_answers());
    };
    let title = crate::db::Untrusted::from(query.id.clone()).to_string();
    let held = held_anywhere(id, &found, at);
    let suppressions = found.0.iter().map(|(_, found)| found.suppression.clone()).collect();
    let asked_in_part = found.0.iter().any(|(_, found)| found.answers.len() >= ASKED_MAX);
    let ends: Vec<(Name, Option<String>)> =
        found.0.iter().map(|(name, found)| (name.clone(), found.last.clone())).collect();
    let (work, attempts, skips) = found.map(|found| (found.work, found.attempts, found.skips)).split3();
    let rows_max = LISTED_MAX as usize;
    Ok(rendered(&ProspectPage {
        page: Page::new(&console, "campaigns", Frames(frames), visitor, &uri).titled(title),
        first: links::prospect(id),
        is_first: query.after.is_empty(),
        next: look_on(&ends, |last| links::query("/prospect", &[("id", id), ("after", last)])),
        held,
        suppressions,
        asked_in_part,
        work: work.newest(rows_max, |work| work.changed_at),
        attempts: attempts.newest(rows_max, |attempt| attempt.reserved_at),
        skips: skips.newest(rows_max, |event| event.at),
        id: query.id,
        at,
    }))
}

/// What holds the next send back in any database. A suppression that holds in all of them is told once.
fn held_anywhere(id: &str, found: &Answers<Prospect>, now: Timestamp) -> Vec<Row<Held>> {
    let parts = &found.0;
    let is_suppressed = |found: &Prospect| found.suppression.as_ref().is_some_and(|one| one.holds(now));
    let is_everywhere = parts.len() > 1 && parts.iter().all(|(_, found)| is_suppressed(found));
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for (n, (name, found)) in parts.iter().enumerate() {
        let mut of_one = within(name, || held(id, found, now));
        if is_suppressed(found) && !of_one.is_empty() {
            let suppression = of_one.remove(0);
            match is_everywhere {
                true if n == 0 => first.push(Row::of(None, suppression)),
                true => (),
                false => first.push(Row::of(name.clone(), suppression)),
            }
        }
        rest.extend(of_one.into_iter().map(|held| Row::of(name.clone(), held)));
    }
    first.extend(rest);
    first
}

impl ProspectPage {
    /// The answer in sentences, the most telling first.
    fn answer(&self) -> Vec<String> {
        let mut said = Vec::new();
        let delivered: Vec<&Row<Attempt>> =
            self.attempts.iter().filter(|attempt| attempt.state == "delivered").collect();
        if let Some(last) = delivered.first() {
            said.push(format!(
                "It was contacted {}, last by {} through {} at {}.",
                times(delivered.len(), self.attempts.len() as i64 == LISTED_MAX),
                with_article(&last.action),
                last.account_id,
                last.occurred_at.unwrap_or(last.reserved_at).told(self.at)
            ));
        }
        let open = |attempt: &&Row<Attempt>| matches!(attempt.state.as_str(), "reserved" | "indeterminate");
        let unknown = self.attempts.iter().filter(open).count();
        if unknown > 0 {
            let of = if delivered.is_empty() { attempts(unknown) } else { format!("{unknown} more") };
            said.push(format!("Of {of} it is not known yet whether {} sent.", was(unknown)));
        }
        let failed = self.attempts.iter().filter(|attempt| attempt.state == "released").count();
        if failed > 0 {
            said.push(format!("{} sent nothing.", attempts(failed)));
        }
        let waiting = |work: &&Row<Enrollment>| matches!(work.state.as_str(), "waiting" | "sending");
        let waits = self.work.iter().filter(waiting).count();
        let parked = self.work.iter().filter(|work| work.state == "parked").count();
        if waits > 0 {
            let stands = if self.is_suppressed() { "held back" } else { "under way" };
            said.push(format!(
                "{} for it {} {stands}.",
                pieces(waits),
                if waits == 1 { "is" } else { "are" }
            ));
        }
        if parked > 0 {
            let waits = if parked == 1 { "waits" } else { "wait" };
            said.push(format!("{} for it {waits} for a person.", pieces(parked)));
        }
        if said.is_empty() && !self.skips.is_empty() {
            said.push("It was never contacted: its work was skipped.".to_owned());
        }
        if said.is_empty() {
            said.push("Nothing is known of it here: no work, no attempt, no skip.".to_owned());
        }
        said
    }

    /// The rows of a list that are seen at once, and the others.
    fn folded<'a, T>(&self, rows: &'a [T]) -> (&'a [T], &'a [T]) {
        rows.split_at(LISTED_OPEN.min(rows.len()))
    }

    fn asked(&self) -> usize {
        ASKED_MAX
    }

    /// What helps against that, if this visitor can: its label and address.
    fn way<'a>(&self, held: &'a Held) -> Option<(&'static str, &'a str)> {
        let (label, link, function) = held.way.as_ref()?;
        function.is_none_or(|function| self.page.may(function)).then_some((*label, link.as_str()))
    }

    /// A suppression that is over everywhere.
    fn was_suppressed(&self) -> Option<&Suppression> {
        let holds = |one: &Suppression| one.holds(self.at);
        let all = || self.suppressions.iter().flatten();
        all().next().filter(|_| !all().any(holds))
    }

    /// Whether no account may write to it, in any database.
    fn is_suppressed(&self) -> bool {
        self.suppressions.iter().all(|one| one.as_ref().is_some_and(|one| one.holds(self.at)))
    }

    fn account_link(&self, database: &Name, account: &crate::db::Untrusted) -> String {
        within(database, || links::account(account.raw()))
    }

    fn campaign_link(&self, campaign: &crate::db::Untrusted) -> String {
        links::campaign(campaign.raw())
    }

    /// The state of a piece of work in words.
    fn stands(&self, work: &Enrollment) -> String {
        if self.is_suppressed() && work.is_due(self.at) {
            return "held back: the prospect wants no contact".to_owned();
        }
        stands(work, self.at)
    }

    fn ended<'a>(&self, attempt: &'a Attempt) -> &'a str {
        attempt.ended(self.at)
    }

    fn why<'a>(&self, event: &'a Event) -> &'a str {
        explained(&event.reason)
    }

    fn put_back(&self, work: &Row<Enrollment>) -> Option<String> {
        within(&work.database, || put_back(&self.page, work, FROM_PROSPECT))
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
        ("waiting", Some(at)) if at > now => format!("waits until {}{reason}", at.told(now)),
        ("waiting", Some(at)) => {
            format!("due since {}: its account's page says what holds it back", at.told(now))
        }
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

fn pieces(count: usize) -> String {
    if count == 1 { "1 piece of work".to_owned() } else { format!("{count} pieces of work") }
}
