//! What an operator can do: a page that says what will happen and asks for a note, then the function.

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

/// Longest note, as the database has it.
const NOTE_CHARACTERS_MAX: usize = 2_000;

/// The closed list of what can be done here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Credits are back.
    Clear,
    /// One InMail may try.
    Probe,
    /// InMails are stopped, whatever the credits.
    ForceOpen,
    /// InMails go by the credits again.
    ForceAuto,
    /// Somebody has seen an alert.
    Acknowledge,
    /// An unknown outcome: it was sent.
    Sent,
    /// An unknown outcome: it was not sent.
    NotSent,
    /// Nothing is sent any more.
    PauseAll,
    /// It is again.
    ResumeAll,
}

impl Kind {
    const ALL: [Kind; 9] = [
        Kind::Clear,
        Kind::Probe,
        Kind::ForceOpen,
        Kind::ForceAuto,
        Kind::Acknowledge,
        Kind::Sent,
        Kind::NotSent,
        Kind::PauseAll,
        Kind::ResumeAll,
    ];

    /// Its name in addresses.
    const fn name(self) -> &'static str {
        match self {
            Kind::Clear => "clear",
            Kind::Probe => "probe",
            Kind::ForceOpen => "force-open",
            Kind::ForceAuto => "force-auto",
            Kind::Acknowledge => "acknowledge",
            Kind::Sent => "sent",
            Kind::NotSent => "not-sent",
            Kind::PauseAll => "pause",
            Kind::ResumeAll => "resume",
        }
    }

    /// The database's function that does it.
    pub const fn function(self) -> &'static str {
        match self {
            Kind::Clear => "breaker_clear",
            Kind::Probe => "breaker_probe",
            Kind::ForceOpen | Kind::ForceAuto => "breaker_force",
            Kind::Acknowledge => "acknowledge_alert",
            Kind::Sent | Kind::NotSent => "resolve_operation",
            Kind::PauseAll => "pause_all",
            Kind::ResumeAll => "resume_all",
        }
    }

    /// What its button says.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Clear => "Reset credit-exhausted state",
            Kind::Probe => "Grant a probe",
            Kind::ForceOpen => "Stop InMails",
            Kind::ForceAuto => "Back to automatic",
            Kind::Acknowledge => "Acknowledge",
            Kind::Sent => "It was sent",
            Kind::NotSent => "It was not sent",
            Kind::PauseAll => "Pause everything",
            Kind::ResumeAll => "Resume everything",
        }
    }

    /// What will happen.
    const fn consequences(self) -> &'static [&'static str] {
        match self {
            Kind::Clear => &[
                "The account counts as having credits again, and its InMails go on, within its caps.",
                "InMails that were deferred for want of credits become due.",
                "If the provider says once more that there are no credits, InMails stop again.",
            ],
            Kind::Probe => &[
                "The next InMail of this account that every other rule lets pass may be sent; one, and no more.",
                "If campaign work was deferred, one piece of it becomes due for this.",
                "Delivered, it resets the credit-exhausted state, and InMails go on. Without credits nothing changes.",
                "If nobody sends within the operation's time, the permit lapses.",
            ],
            Kind::ForceOpen => &[
                "No InMail of this account is sent, whatever its credits, and no probe either.",
                "It holds over the end of the credit period, until somebody sets it back to automatic.",
                "Everything else that the account sends goes on.",
            ],
            Kind::ForceAuto => &[
                "InMails of this account go by its credits again: they stop when the provider says that there are none.",
            ],
            Kind::Acknowledge => &[
                "Your name and note are kept with the alert.",
                "An alert that tells of an event is closed by that. Any other closes by itself, when its cause is gone.",
            ],
            Kind::Sent => &[
                "The operation counts as delivered, and its slot stays taken.",
                "Its campaign work is done, and nothing is sent to this prospect again.",
                "An InMail without a chat id gets no event: nothing proves it.",
            ],
            Kind::NotSent => &[
                "The operation's slot is free again.",
                "The prospect can be tried again, and campaign work is, after a while. Be sure that nothing left.",
            ],
            Kind::PauseAll => &[
                "No account gets another slot for anything, until somebody resumes.",
                "What workers have in hand may still be sent, and is settled as ever.",
            ],
            Kind::ResumeAll => &["Accounts may send again, each within its own rules."],
        }
    }

    /// The function has nowhere to put one.
    const fn takes_note(self) -> bool {
        !matches!(self, Kind::ResumeAll)
    }

    /// Where it is asked about. `item` is an alert or an operation.
    pub fn link(self, account: &str, item: &str) -> String {
        links::query("/act", &[("do", self.name()), ("id", account), ("item", item)])
    }

    /// Where to go once it is done.
    fn back(self, account: &str) -> String {
        match self {
            Kind::PauseAll | Kind::ResumeAll => "/".to_owned(),
            Kind::Acknowledge => "/alerts".to_owned(),
            _ => links::account(account),
        }
    }

    /// What the next page says.
    fn done(self, account: &str) -> String {
        let account = Alien::from(account.to_owned());
        match self {
            Kind::Clear => format!("The credit-exhausted state of {account} is reset."),
            Kind::Probe => format!("A probe is granted: the next InMail of {account} may try."),
            Kind::ForceOpen => format!("InMails of {account} are stopped."),
            Kind::ForceAuto => format!("InMails of {account} go by its credits again."),
            Kind::Acknowledge => "The alert is acknowledged.".to_owned(),
            Kind::Sent => "The operation is settled: it was sent.".to_owned(),
            Kind::NotSent => "The operation is settled: it was not sent.".to_owned(),
            Kind::PauseAll => "Everything is paused.".to_owned(),
            Kind::ResumeAll => "Everything goes on.".to_owned(),
        }
    }
}

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
        Some(paused) => format!("Everything is paused since {}, by {}", paused.since, paused.actor),
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
