//! What an operator can do: a page that says what will happen and asks for a note, then the function.

mod kind;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::pages::{Answer, Page, Problem, account, action_name, is_uuid, rendered, spoken};
use super::sessions::Visitor;
use super::sign_in::not_your_form;
use super::{Console, links};
use crate::db::Link;
use crate::db::console::acts::Act;
use crate::db::console::{Alien, Frame};
use crate::error::{Error, Result, Retry};
pub use kind::Kind;

/// Longest note, as the database has it.
const NOTE_CHARACTERS_MAX: usize = 2_000;

/// What the address asks for.
#[derive(Debug, Deserialize)]
pub struct Wanted {
    #[serde(rename = "do")]
    name: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    item: String,
}

/// What the form sends.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Given {
    csrf: String,
    note: String,
    chat_id: String,
}

#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    page: Page,
    kind: Kind,
    subject: Option<Alien>,
    facts: Vec<(&'static str, String)>,
    action: String,
    back: String,
    given: Given,
    problem: Option<String>,
}

impl Wanted {
    fn kind(&self) -> std::result::Result<Kind, Problem> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == self.name);
        let item_fits = self.item.is_empty() || is_uuid(&self.item);
        kind.filter(|_| item_fits).ok_or_else(|| {
            Problem::new(
                StatusCode::NOT_FOUND,
                "There is no such thing to do",
                "Begin on the account's page.",
            )
        })
    }

    fn act<'a>(&'a self, kind: Kind, given: &'a Given) -> Act<'a> {
        let chat_id = Some(given.chat_id.trim()).filter(|chat_id| !chat_id.is_empty());
        match kind {
            Kind::Clear => Act::Clear(&self.id),
            Kind::Probe => Act::Probe(&self.id),
            Kind::ForceOpen => Act::Force(&self.id, "open"),
            Kind::ForceAuto => Act::Force(&self.id, "auto"),
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

/// Says what will happen, and asks for a note.
pub async fn ask(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(wanted): Query<Wanted>,
) -> Answer {
    if visitor.is_none() {
        let here = uri.path_and_query().map_or("/", |it| it.as_str());
        return Ok(Redirect::to(&links::query("/sign-in", &[("next", here)])).into_response());
    }
    asked(&console, visitor, &uri, &wanted, Given::default(), None).await
}

async fn asked(
    console: &Console,
    visitor: Option<Visitor>,
    uri: &Uri,
    wanted: &Wanted,
    given: Given,
    problem: Option<String>,
) -> Answer {
    let kind = wanted.kind()?;
    let mut link = console.link.turn().await?;
    let found = gather(&mut link, kind, wanted).await;
    let (frame, facts) = link.settled(found).await?;
    drop(link);
    let Some(facts) = facts else { return Err(gone(kind, &wanted.id)) };
    let page = Page { live: false, ..Page::new(console, "", frame, visitor, uri).titled(kind.label()) };
    if !page.may(kind.function()) {
        return Err(not_granted(kind));
    }
    Ok(rendered(&ActPage {
        page,
        kind,
        subject: Some(Alien::from(wanted.id.clone())).filter(|id| !id.raw().is_empty()),
        facts,
        action: kind.link(&wanted.id, &wanted.item),
        back: kind.back(&wanted.id),
        given,
        problem,
    }))
}

/// How things stand now; none if what it is about is not there (any more).
async fn gather(
    link: &mut Link,
    kind: Kind,
    wanted: &Wanted,
) -> Result<(Frame, Option<Vec<(&'static str, String)>>)> {
    let session = link.session().await?;
    let frame = session.console_frame().await?;
    let facts = match kind {
        Kind::PauseAll | Kind::ResumeAll => Some(vec![("Now", paused(&frame))]),
        Kind::Acknowledge => {
            let alerts = session.account_alerts(&wanted.id, 1, Some(&wanted.item)).await?;
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
            let operations = session.account_unresolved(&wanted.id, 1, Some(&wanted.item)).await?;
            operations.into_iter().next().map(|operation| {
                let words = operation.error.or(operation.error_type).map(|words| words.to_string());
                vec![
                    ("Operation", format!("{} to {}", action_name(&operation.action), operation.prospect)),
                    ("Reserved", operation.reserved_at),
                    ("The provider said", words.unwrap_or_else(|| "nothing".to_owned())),
                ]
            })
        }
        Kind::Clear | Kind::Probe | Kind::ForceOpen | Kind::ForceAuto => {
            let ids = [wanted.id.clone()];
            let (card, account) = tokio::try_join!(
                session.account_list(&ids, &frame.today),
                session.account_state(&wanted.id)
            )?;
            card.into_iter().next().zip(account).map(|(card, account)| {
                let pill =
                    card.pill.map_or_else(|| "InMails are not stopped".to_owned(), |pill| pill.to_string());
                let probe = match account.probe_until {
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

fn paused(frame: &Frame) -> String {
    match &frame.paused {
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

/// Does it.
pub async fn perform(
    State(console): State<Arc<Console>>,
    Extension(visitor): Extension<Option<Visitor>>,
    uri: Uri,
    Query(wanted): Query<Wanted>,
    Form(given): Form<Given>,
) -> Answer {
    let visitor =
        visitor.filter(|visitor| is_same_secret(&visitor.csrf, &given.csrf)).ok_or_else(not_your_form)?;
    let kind = wanted.kind()?;
    let note = given.note.trim();
    if kind.takes_note() && (note.is_empty() || note.chars().count() > NOTE_CHARACTERS_MAX) {
        let problem = format!("Say why, in 1 to {NOTE_CHARACTERS_MAX} characters.");
        let page = asked(&console, Some(visitor), &uri, &wanted, given, Some(problem)).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let mut link = console.link.turn().await?;
    let done = act(&mut link, &visitor, wanted.act(kind, &given), note).await;
    let done = link.settled(done).await;
    drop(link);
    match done {
        Ok(()) => {
            tracing::info!(
                operator = visitor.name,
                done = kind.name(),
                account = wanted.id,
                "an operator acted"
            );
            console.sessions().leave_notice(&visitor, kind.done(&wanted.id));
            Ok(Redirect::to(&kind.back(&wanted.id)).into_response())
        }
        Err(error) => refused(&console, visitor, &uri, &wanted, given, error).await,
    }
}

async fn act(link: &mut Link, visitor: &Visitor, act: Act<'_>, note: &str) -> Result<()> {
    link.session().await?.act(&visitor.name, act, note).await
}

/// The database's no, on the page that asked. Where nobody knows whether it was done, it is no no.
async fn refused(
    console: &Console,
    visitor: Visitor,
    uri: &Uri,
    wanted: &Wanted,
    given: Given,
    error: Error,
) -> std::result::Result<Response, Problem> {
    if error.retry() != Retry::Later || error.code().is_none() {
        return Err(error.into());
    }
    let problem = Alien::from(error.to_string()).to_string();
    let page = asked(console, Some(visitor), uri, wanted, given, Some(problem)).await?;
    Ok((StatusCode::CONFLICT, page).into_response())
}

/// Whether two secrets are the same, in a time that does not tell how much of them is.
pub fn is_same_secret(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
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
        _ => account::unknown(id),
    }
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

    #[test]
    fn every_kind_is_found_by_its_name() {
        for kind in Kind::ALL {
            let wanted = Wanted { name: kind.name().to_owned(), id: String::new(), item: String::new() };
            assert_eq!(wanted.kind().expect("a kind"), kind);
        }
        let bad = |name: &str, item: &str| Wanted {
            name: name.to_owned(),
            id: "a".to_owned(),
            item: item.to_owned(),
        };
        assert!(bad("drop", "").kind().is_err());
        assert!(bad("acknowledge", "' OR true --").kind().is_err());
    }

    #[test]
    fn secrets_are_compared_whole() {
        assert!(is_same_secret("abc", "abc"));
        assert!(!is_same_secret("abc", "abd") && !is_same_secret("abc", "ab") && !is_same_secret("abc", ""));
    }
}
