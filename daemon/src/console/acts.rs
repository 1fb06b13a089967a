//! An act of an operator: a page says what will happen and asks for a note, then the SQL function does it.

mod desk;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect};
use serde::Deserialize;

use super::kind::{FROM_UNKNOWN, Kind};
use super::pages::{Answer, Page, Problem, action_name, no_such_account, rendered, spoken};
use super::sessions::{Visitor, random};
use super::{Console, csrf, links};
use crate::db::account::ACTIONS;
use crate::db::console::Frame;
use crate::db::console::acts::Act;
use crate::db::cursor::is_uuid;
use crate::db::why::causes;
use crate::db::{Session, Untrusted};
use crate::error::Result;
use crate::words::explained;
pub use desk::{Desk, finish};
use desk::{Refused, carry_out, outcome};

/// Longest note, in characters; the database has the same limit.
const NOTE_CHARACTERS_MAX: usize = 2_000;

/// The address's query.
#[derive(Clone, Debug, Deserialize)]
pub struct ActQuery {
    #[serde(rename = "do")]
    name: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    item: String,
    /// The list that the link was on, to go back to.
    #[serde(default)]
    from: String,
}

/// The form's fields.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct ActForm {
    csrf: String,
    /// The form's own id: two forms with equal fields are two acts, the same form twice is one.
    form: String,
    note: String,
    chat_id: String,
}

#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    page: Page,
    kind: Kind,
    subject: Option<Untrusted>,
    facts: Vec<(&'static str, String)>,
    action: String,
    back: String,
    form: String,
    given: ActForm,
    problem: Option<String>,
}

impl ActQuery {
    fn kind(&self) -> std::result::Result<Kind, Problem> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.name);
        let item_fits = |kind: &Kind| {
            if kind.takes_item() {
                is_uuid(&self.item)
            } else {
                self.item.is_empty() || kind.takes_action() && ACTIONS.contains(&self.item.as_str())
            }
        };
        kind.filter(item_fits).ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "There is no such thing to do",
                "Begin on the account's page.",
            )
        })
    }

    /// The address to go to afterwards.
    fn back(&self, kind: Kind) -> String {
        if kind.takes_item() && self.from == FROM_UNKNOWN {
            "/unknown".to_owned()
        } else {
            kind.back(&self.id)
        }
    }

    fn act<'a>(&'a self, kind: Kind, given: &'a ActForm) -> Act<'a> {
        let chat_id = Some(given.chat_id.trim()).filter(|chat_id| !chat_id.is_empty());
        match kind {
            Kind::Clear => Act::Clear(&self.id),
            Kind::Probe => Act::Probe(&self.id),
            Kind::ForceOpen => Act::Force(&self.id, "open"),
            Kind::ForceAuto => Act::Force(&self.id, "auto"),
            Kind::Connect => Act::Status(&self.id, "connected"),
            Kind::Pause => Act::Status(&self.id, "paused"),
            Kind::Cooldown => {
                Act::Cooldown(&self.id, Some(self.item.as_str()).filter(|item| !item.is_empty()))
            }
            Kind::Acknowledge => Act::Acknowledge(&self.item),
            Kind::Sent => Act::Resolve { account: &self.id, operation: &self.item, sent: true, chat_id },
            Kind::NotSent => {
                Act::Resolve { account: &self.id, operation: &self.item, sent: false, chat_id: None }
            }
            Kind::PauseAll => Act::PauseAll,
            Kind::ResumeAll => Act::ResumeAll,
        }
    }
}

/// Shows what will happen, and asks for a note.
pub async fn ask(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<ActQuery>,
) -> Answer {
    if visitor.is_none() {
        let here = uri.path_and_query().map_or("/", |it| it.as_str());
        return Ok(Redirect::to(&links::query("/sign-in", &[("next", here)])).into_response());
    }
    asked(&console, visitor, &uri, &query, ActForm::default(), None).await
}

async fn asked(
    console: &Console,
    visitor: Option<Visitor>,
    uri: &Uri,
    query: &ActQuery,
    given: ActForm,
    problem: Option<String>,
) -> Answer {
    let kind = query.kind()?;
    if visitor.as_ref().is_some_and(|visitor| !visitor.may_act()) {
        return Err(reads_only());
    }
    let (frame, facts) = console.turn(async |session| gather(session, kind, query).await).await?;
    let Some(facts) = facts else { return Err(gone(kind, &query.id)) };
    let page = Page { live: false, ..Page::new(console, "", frame, visitor, uri).titled(kind.label()) };
    if !page.may(kind.function()) {
        return Err(not_granted(kind));
    }
    Ok(rendered(&ActPage {
        page,
        kind,
        subject: Some(Untrusted::from(query.id.clone())).filter(|id| !id.raw().is_empty()),
        facts,
        action: kind.link_from(&query.from, &query.id, &query.item),
        back: query.back(kind),
        form: random()?,
        given,
        problem,
    }))
}

/// The present state of the act's subject; none if the subject does not exist, or not any more.
async fn gather(
    session: &Session,
    kind: Kind,
    query: &ActQuery,
) -> Result<(Frame, Option<Vec<(&'static str, String)>>)> {
    let frame = session.console_frame().await?;
    let facts = match kind {
        Kind::PauseAll | Kind::ResumeAll => Some(vec![("Now", paused(&frame))]),
        Kind::Acknowledge => {
            let alerts = session.account_alerts(&query.id, 1, Some(&query.item)).await?;
            alerts.into_iter().next().map(|alert| {
                let seen = alert.acknowledged_by.map_or_else(|| "nobody yet".to_owned(), |by| by.to_string());
                vec![
                    ("Alert", spoken(&alert.kind)),
                    ("Day", alert.day),
                    ("Found", alert.detail.to_string()),
                    ("Seen by", seen),
                ]
            })
        }
        Kind::Sent | Kind::NotSent => {
            let operations = session.account_unresolved(&query.id, 1, Some(&query.item)).await?;
            operations.into_iter().next().map(|operation| {
                let words = operation.error.or(operation.error_type).map(|words| words.to_string());
                vec![
                    ("Operation", format!("{} to {}", action_name(&operation.action), operation.prospect_id)),
                    ("Reserved", operation.reserved_at.to_string()),
                    ("The provider said", words.unwrap_or_else(|| "nothing".to_owned())),
                ]
            })
        }
        Kind::Connect | Kind::Pause | Kind::Cooldown => stands(session, &query.id, &query.item).await?,
        Kind::Clear | Kind::Probe | Kind::ForceOpen | Kind::ForceAuto => {
            let ids = [query.id.clone()];
            let (card, breaker) = tokio::try_join!(
                session.account_list(&ids, frame.at.day()),
                session.account_breaker(&query.id)
            )?;
            card.into_iter().next().zip(breaker).map(|(card, breaker)| {
                let pill =
                    card.pill.map_or_else(|| "InMails are not stopped".to_owned(), |pill| pill.to_string());
                let probe = match breaker.probe_until(frame.at) {
                    Some(until) => format!("one is out until {until}"),
                    None => "none is out".to_owned(),
                };
                vec![
                    ("Status", card.status),
                    ("Now", pill),
                    ("InMails today", format!("{} of {}", card.sent, card.cap)),
                    ("Probe", probe),
                ]
            })
        }
    };
    Ok((frame, facts))
}

/// What holds the account, or one action of it, back; none if there is no such account.
async fn stands(
    session: &Session,
    account: &str,
    action: &str,
) -> Result<Option<Vec<(&'static str, String)>>> {
    let lines = match session.account_why(account).await {
        Ok(lines) => lines,
        Err(error) if error.is_unknown_account() => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut facts = Vec::new();
    for cause in causes(&lines) {
        if !action.is_empty() && !cause.actions.iter().any(|of| of == action) {
            continue;
        }
        let names: Vec<&str> = cause.actions.iter().map(|action| action_name(action)).collect();
        let answer = match &cause.why.reason {
            Some(reason) => format!("{}: {}", names.join(", "), explained(reason)),
            None => format!("{}: may go", names.join(", ")),
        };
        facts.push(("Now", answer));
        if let Some(note) = &cause.why.note {
            facts.push(("Why", note.to_string()));
        }
        if let Some(words) = cause.why.words() {
            facts.push(("The provider said", words.to_string()));
        }
    }
    Ok(Some(facts))
}

fn paused(frame: &Frame) -> String {
    match &frame.stopped.paused {
        Some(paused) => match &paused.quarantine {
            Some(q) if q.checked => {
                format!("In quarantine since {}, by {}; the books were checked", q.since, paused.actor)
            }
            Some(q) => {
                format!("In quarantine since {}, by {}; the books are not checked yet", q.since, paused.actor)
            }
            None => format!("Everything is paused since {}, by {}", paused.since, paused.actor),
        },
        None => "Accounts may send, each within its own rules".to_owned(),
    }
}

/// Does the act that a form asks for.
pub async fn perform(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(query): Query<ActQuery>,
    Form(given): Form<ActForm>,
) -> Answer {
    let visitor = csrf::owner(visitor, &given.csrf)?;
    if !visitor.may_act() {
        return Err(reads_only());
    }
    let kind = query.kind()?;
    if let Some(problem) = unfit(kind, &given) {
        let page = asked(&console, Some(visitor), &uri, &query, given, Some(problem)).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let form = Some(&given.form).filter(|id| !id.is_empty()).map(|id| visitor.form(id));
    let work = carry_out(console.clone(), visitor.clone(), kind, query.clone(), given.clone());
    let begun = console.desk().begin(form, work);
    match outcome(begun).await {
        Ok(()) => Ok(Redirect::to(&query.back(kind)).into_response()),
        Err(Refused::Unknown(text)) => {
            let advice = "Look at the account before you do it again.";
            Err(Problem::unavailable("Nobody knows whether this was done", &format!("{text} {advice}")))
        }
        Err(Refused::No(status, text)) => {
            match asked(&console, Some(visitor), &uri, &query, given, Some(text.clone())).await {
                Ok(page) => Ok((status, page).into_response()),
                Err(problem) if problem.is_about_the_database() => {
                    Err(Problem::unavailable("This was not done", &text))
                }
                // The subject is gone.
                Err(problem) => Err(problem),
            }
        }
    }
}

/// The reason why the form's fields are refused.
fn unfit(kind: Kind, given: &ActForm) -> Option<String> {
    let note = given.note.trim();
    if kind.takes_note() && (note.is_empty() || note.chars().count() > NOTE_CHARACTERS_MAX) {
        return Some(format!("Say why, in 1 to {NOTE_CHARACTERS_MAX} characters."));
    }
    // PostgreSQL cannot store this character.
    let is_kept = !note.contains('\0') && !given.chat_id.contains('\0');
    (!is_kept).then(|| "The character U+0000 cannot be kept. Take it out.".to_owned())
}

fn gone(kind: Kind, id: &str) -> Problem {
    match kind {
        Kind::Acknowledge => Problem::new(
            StatusCode::NOT_FOUND,
            "This alert is not open",
            "It was closed meanwhile, by somebody or by itself.",
        ),
        Kind::Sent | Kind::NotSent => Problem::new(
            StatusCode::NOT_FOUND,
            "This operation is settled",
            "Its worker, or another operator, was faster.",
        ),
        _ => no_such_account(id),
    }
}

/// The problem of a token that is good for reading alone.
fn reads_only() -> Problem {
    let text = "Your token has the role read. Sign in with one that may act.";
    Problem::new(StatusCode::FORBIDDEN, "You may look, and change nothing", text)
}

fn not_granted(kind: Kind) -> Problem {
    let text = format!(
        "The daemon's login may not call sendgate.{}. GRANT sendgate_daemon to it, or see sendgated doctor.",
        kind.function()
    );
    Problem::new(StatusCode::FORBIDDEN, "The database does not allow it", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "01985c1e-0c4a-7b7e-9d3a-5f2f0a6f4b11";

    fn query(name: &str, item: &str) -> ActQuery {
        ActQuery { name: name.to_owned(), id: "a".to_owned(), item: item.to_owned(), from: String::new() }
    }

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            let item = if kind.takes_item() { UUID } else { "" };
            let query = query(kind.name(), item);
            assert_eq!(query.kind().expect("a kind"), kind);
        }
        assert!(query("drop", "").kind().is_err());
        assert!(query("acknowledge", "' OR true --").kind().is_err());
        assert!(query("acknowledge", "").kind().is_err());
        assert!(query("clear", UUID).kind().is_err());
    }
}
