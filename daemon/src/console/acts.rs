//! An act of an operator: a page says what will happen and asks for a note, then the SQL function does it.

mod desk;
mod facts;
mod fields;

use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::{Form, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect};

use super::kind::{Kind, Subject};
use super::pages::{Answer, Frames, Page, Problem, action_name, no_such_account, rendered};
use super::scope::each;
use super::sessions::{Visitor, random};
use super::{Console, csrf, links};
use crate::db::Untrusted;
use crate::db::account::ACTIONS;
use crate::db::console::campaigns::Limits;
pub use desk::{Desk, finish};
use desk::{Refused, carry_out, outcome};
pub use facts::limited;
pub use fields::{ActForm, ActQuery, FROM_PROSPECT};

/// Longest note, in characters; the database has the same limit.
const NOTE_CHARACTERS_MAX: usize = 2_000;

#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    page: Page,
    kind: Kind,
    subject: Option<(&'static str, Untrusted)>,
    /// The action that the address names.
    asked_item: String,
    /// The action that most of the campaign's waiting work has.
    used: Option<String>,
    /// The limits that a campaign has.
    limits: Option<Limits>,
    facts: Vec<(&'static str, String)>,
    action: String,
    back: String,
    form: String,
    given: ActForm,
    problem: Option<String>,
}

impl ActPage {
    /// Whether the field for the action has this one.
    fn is_chosen(&self, action: &str) -> bool {
        self.chosen() == Some(action)
    }

    /// The action that was sent, that the address names, or that the campaign uses; none: the operator has to choose.
    fn chosen(&self) -> Option<&str> {
        let known = [self.given.action.as_str(), &self.asked_item, self.used.as_deref().unwrap_or_default()];
        known.into_iter().find(|action| ACTIONS.contains(action))
    }

    /// The fields of a campaign's limits: as they were sent, or as they are.
    fn limits(&self) -> Vec<(&'static str, String)> {
        let sent = self.given.limits();
        let was_sent = !self.given.csrf.is_empty();
        let is = self.limits.as_ref().map(Limits::all).unwrap_or_default();
        let shown = |n: usize| match is[n] {
            _ if was_sent => sent[n].to_owned(),
            Some(limit) => limit.to_string(),
            None => String::new(),
        };
        ACTIONS.into_iter().enumerate().map(|(n, action)| (action, shown(n))).collect()
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
    let found = each!(console, |session, _member| async {
        let (frame, facts, used) = facts::gather(session, kind, query).await?;
        let limits = match kind {
            Kind::Limits => session.campaign(&query.id).await?.limits,
            _ => None,
        };
        Ok((frame, facts, (limits, used)))
    })?;
    let (frames, facts, found) = found.split3();
    let (limits, used) = found.split2();
    let limits = limits.all().into_iter().flatten().next();
    let Some(facts) = facts::of_all(console, kind, facts) else { return Err(gone(kind, &query.id)) };
    let page =
        Page { live: false, ..Page::new(console, "", Frames(frames), visitor, uri).titled(kind.label()) };
    if !page.may(kind.function()) {
        return Err(not_granted(kind));
    }
    Ok(rendered(&ActPage {
        page,
        kind,
        subject: Some((word_of(kind), Untrusted::from(query.id.clone())))
            .filter(|(_, id)| !id.raw().is_empty()),
        facts,
        action: query.link(kind),
        asked_item: query.item.clone(),
        used: facts::most_used(used.all()),
        limits,
        back: query.back(kind),
        form: random()?,
        given,
        problem,
    }))
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
    if let Some(problem) = unfit(kind, &given).or_else(|| query.act(kind, &given).err()) {
        let page = asked(&console, Some(visitor), &uri, &query, given, Some(problem)).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let form = Some(&given.form).filter(|id| !id.is_empty()).map(|id| visitor.form(id));
    let targets = console.targets(kind);
    let work = carry_out(console.clone(), visitor.clone(), kind, query.clone(), given.clone(), targets);
    let begun = console.desk().begin(form, work);
    match outcome(begun).await {
        Ok(()) => Ok(Redirect::to(&query.back(kind)).into_response()),
        Err(Refused::Unknown(text)) => {
            let advice = "Look at the account before you do it again.";
            Err(Problem::unavailable("It is not known whether this was done", &format!("{text} {advice}")))
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
            "It was closed meanwhile, by another operator or by itself.",
        ),
        Kind::Sent | Kind::NotSent => Problem::new(
            StatusCode::NOT_FOUND,
            "This operation is settled",
            "Its worker, or another operator, was faster.",
        ),
        Kind::Requeue => Problem::new(
            StatusCode::NOT_FOUND,
            "There is no such work",
            "It was removed, or another operator switched its action.",
        ),
        _ => no_such_account(id),
    }
}

/// What the act's id names, on its page.
const fn word_of(kind: Kind) -> &'static str {
    match kind.subject() {
        Subject::Account => "Account",
        Subject::Prospect => "Prospect",
        Subject::Campaign => "Campaign",
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
