//! The pages. Each one reads the database in its turn on the pages' connection, and is rendered from a
//! template that escapes all values.

pub mod account;
pub mod accounts;
pub mod alerts;
pub mod campaign;
pub mod campaigns;
pub mod events;
pub mod heartbeats;
pub mod log;
pub mod prospect;
pub mod unknown;
pub mod zone;

use std::sync::Arc;

use askama::Template;
use askama::filters::Safe;
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use tokio_postgres::error::SqlState;

use super::scope::{Answers, Name, chosen, within};
use super::sessions::Visitor;
use super::{Console, links};
use crate::db::console::{COUNTED_MAX, Frame};
use crate::db::cursor::Cursor;
use crate::db::zone::of_reader as zone_of_reader;
use crate::db::{Timestamp, Untrusted};
use crate::error::{Error, Retry};

/// The SQLSTATE class of invalid values: a date, a number or a text that is none.
const CLASS_OF_VALUES: &str = "22";
/// Longest id, in characters; the database has the same limit.
const ID_CHARACTERS_MAX: usize = 128;
/// Most rows of a log on one page.
pub const ROWS_MAX: i64 = 50;
/// A page, or a problem page.
pub type Answer = Result<Response, Problem>;

/// The frame of every page.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Its title.
    pub title: String,
    /// The menu's entry for the page.
    pub section: &'static str,
    /// The state that every page shows; none if the database was not asked.
    pub frame: Option<Frame>,
    /// The signed-in operator.
    pub visitor: Option<Visitor>,
    /// Whether there are operators who could sign in.
    pub can_sign_in: bool,
    /// The page's own address.
    pub here: String,
    /// The sentence about the act that was just done.
    pub notice: Option<String>,
    /// Whether the page refreshes itself.
    pub live: bool,
    /// The name of the reader's time zone.
    pub zone: String,
    /// The same state of each database that the page is about, with its name where several are served.
    pub parts: Vec<(Name, Frame)>,
    /// Where several are served: databases that cannot be asked, and why.
    pub down: Vec<(Arc<str>, String)>,
    /// Where several are served: each one's name, the address of the list in it, and whether it is the one that is shown;
    /// before them all together.
    pub databases: Vec<(String, String, bool)>,
}

/// The state of each database that a page is about.
#[derive(Debug)]
pub struct Frames(pub Answers<Frame>);

impl From<Frame> for Frames {
    fn from(frame: Frame) -> Frames {
        Frames(Answers(vec![(chosen(), frame)]))
    }
}

impl Frames {
    /// All of them as one: counts add up, and a button is there if every database has its function.
    fn together(&self) -> Option<Frame> {
        let Frames(Answers(parts)) = self;
        let mut frames = parts.iter().map(|(_, frame)| frame);
        let mut all = frames.next()?.clone();
        for frame in frames {
            all.alerts += frame.alerts;
            all.unknown += frame.unknown;
            all.stale_jobs += frame.stale_jobs;
            all.functions.retain(|function| frame.functions.contains(function));
            // The footer offers to pause everything while something is not paused.
            all.stopped.paused = all.stopped.paused.filter(|_| frame.stopped.paused.is_some());
        }
        Some(all)
    }
}

impl Page {
    /// The frame of a page that was read from the database.
    pub fn new(
        console: &Console,
        section: &'static str,
        frames: impl Into<Frames>,
        visitor: Option<Visitor>,
        uri: &Uri,
    ) -> Page {
        let frames = frames.into();
        let notice = visitor.as_ref().and_then(|visitor| console.sessions().take_notice(visitor));
        Page {
            title: String::new(),
            section,
            frame: frames.together(),
            visitor,
            can_sign_in: !console.tokens.is_empty(),
            here: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
            notice,
            live: true,
            zone: zone_of_reader(),
            parts: frames.0.0,
            down: console.down(),
            databases: console.databases_of(uri),
        }
    }

    /// Where several are served, the database that the page is about; none if it is about all of them.
    pub fn database(&self) -> Name {
        chosen()
    }

    /// The address of the act that resumes everything in one database, or in the only one.
    pub fn resume_link(&self, database: &Name) -> String {
        within(database, || links::query("/act", &[("do", "resume")]))
    }

    /// Whether anything is to be said of a database above the page.
    pub fn has_banner(&self, frame: &Frame) -> bool {
        let observed = frame.observed.as_ref().is_none_or(|observed| observed.is_any());
        frame.copied || observed || frame.stopped.paused.is_some() || frame.stopped.test_clock
    }

    /// Whether everything is stopped, in all databases that the page is about.
    pub fn is_stopped(&self) -> bool {
        let is_stopped = |frame: &Frame| frame.copied || frame.stopped.paused.is_some();
        !self.parts.is_empty() && self.parts.iter().all(|(_, frame)| is_stopped(frame))
    }

    /// The same frame with a title.
    pub fn titled(self, title: impl Into<String>) -> Page {
        Page { title: title.into(), ..self }
    }

    /// The address of the sign-in form, which leads back here.
    pub fn sign_in_link(&self) -> String {
        links::query("/sign-in", &[("next", &self.here)])
    }

    /// The address of the form that chooses the time zone, which leads back here.
    pub fn zone_link(&self) -> String {
        links::query("/zone", &[("next", &self.here)])
    }

    /// An instant in the reader's zone, and how long ago it was or how soon it comes.
    pub fn when(&self, at: &Timestamp) -> Safe<String> {
        let Some(frame) = self.frame.as_ref().filter(|_| at.is_finite()) else {
            return Safe(at.to_string());
        };
        let (exact, relative) = (at.to_iso(), at.relative_to(frame.at));
        Safe(format!("<time datetime=\"{exact}\">{at}</time> <span class=\"ago\">{relative}</span>"))
    }

    /// The same for a sentence.
    pub fn told(&self, at: &Timestamp) -> String {
        self.frame.as_ref().map_or_else(|| at.to_string(), |frame| at.told(frame.at))
    }

    /// The menu's number of open alerts; none if there are none.
    pub fn alerts(&self) -> Option<String> {
        counted(self.frame.as_ref()?.alerts)
    }

    /// The menu's number of unknown outcomes; none if there are none.
    pub fn unknown(&self) -> Option<String> {
        counted(self.frame.as_ref()?.unknown)
    }

    /// Whether the visitor may do this here: is signed in with a token that is good for it, and the database has the function and grants it.
    pub fn may(&self, function: &str) -> bool {
        self.visitor.as_ref().is_some_and(Visitor::may_act)
            && self.frame.as_ref().is_some_and(|frame| frame.functions.iter().any(|known| known == function))
    }
}

/// A number up to 99, or `99+`; none for 0.
fn counted(open: i64) -> Option<String> {
    match open {
        0 => None,
        _ if open > COUNTED_MAX => Some(format!("{COUNTED_MAX}+")),
        _ => Some(open.to_string()),
    }
}

/// A problem: the page that is shown instead.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    title: String,
    text: String,
    way: Option<(&'static str, String)>,
}

impl Problem {
    /// A problem with a status, a title and an explanation.
    pub fn new(status: StatusCode, title: impl Into<String>, text: impl Into<String>) -> Problem {
        Problem { status, title: title.into(), text: text.into(), way: None }
    }

    /// The same with a button: its label and its address.
    pub fn with_way(self, label: &'static str, link: String) -> Problem {
        Problem { way: Some((label, link)), ..self }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its title and explanation, for programs.
    pub fn told(&self) -> String {
        format!("{}. {}", self.title, Untrusted::from(self.text.clone()))
    }

    /// Whether the database was slow, held or unreachable, so that the request itself was not wrong.
    pub fn is_about_the_database(&self) -> bool {
        self.status.is_server_error()
    }

    /// The problem of a page about several databases if none answers.
    pub fn none_answers() -> Problem {
        Problem::unavailable("The database cannot be asked", "None of them answers.")
    }

    /// A problem with status 503.
    pub fn unavailable(title: &str, text: &str) -> Problem {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, title, text)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Problem {
        let code = error.code().map(SqlState::code).unwrap_or_default();
        match error.retry() {
            _ if error.is_held() => Problem::unavailable(
                "Another session holds what this page reads",
                "A table is locked: it is being altered or rewritten, say. Try again in a moment.",
            ),
            _ if code == SqlState::QUERY_CANCELED.code() => Problem::unavailable(
                "The database is too slow",
                "It did not have the answer in time, and was told to stop looking. Try again in a moment.",
            ),
            _ if matches!(error, Error::Busy { .. }) => {
                Problem::unavailable("Others are using the console", "Try again in a moment.")
            }
            // The address has such values; the daemon does not parse them, the database does.
            Retry::Later if code.starts_with(CLASS_OF_VALUES) => Problem::new(
                StatusCode::BAD_REQUEST,
                "This cannot be understood",
                "Something in the address is no date, no id, or holds a character that cannot be. Begin with the menu.",
            ),
            Retry::Later if error.code().is_some() => {
                Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "The database said no", error.to_string())
            }
            _ => Problem::unavailable("The database cannot be asked", &error.to_string()),
        }
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage {
    page: Page,
    text: String,
    way: Option<(&'static str, String)>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let page = Page { title: self.title, ..Page::default() };
        let text = Untrusted::from(self.text).to_string();
        (self.status, rendered(&ProblemPage { page, text, way: self.way })).into_response()
    }
}

/// The problem of an unknown account.
pub fn no_such_account(id: &str) -> Problem {
    let text = format!("No account has the id {}.", Untrusted::from(id.to_owned()));
    Problem::new(StatusCode::NOT_FOUND, "There is no such account", text)
}

/// The problem of an unknown address.
pub async fn not_found() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "There is no such page",
        "The menu above leads to those that there are.",
    )
}

/// A rendered template as an answer. It fails only if memory is short.
pub fn rendered(template: &impl Template) -> Response {
    match template.render() {
        Ok(text) => Html(text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// Whether it may be an id.
pub fn is_id(text: &str) -> bool {
    !text.is_empty() && !text.contains('\0') && text.chars().count() <= ID_CHARACTERS_MAX
}

/// Passes what may be an id.
///
/// # Errors
///
/// A page with status 400.
pub fn check_id(text: &str) -> Result<(), Problem> {
    let odd = || {
        let text = format!("An id has 1 to {ID_CHARACTERS_MAX} characters, none of them U+0000.");
        Problem::new(StatusCode::BAD_REQUEST, "This is no id", text)
    };
    is_id(text).then_some(()).ok_or_else(odd)
}

/// The cursor that an address names; none for the first page, whose own address is `first`.
pub fn read_cursor(text: &str, first: &str) -> Result<Option<Cursor>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let unreadable = |_| {
        Problem::new(StatusCode::BAD_REQUEST, "This is no place in the log", "Begin with its first page.")
            .with_way("To its first page", first.to_owned())
    };
    text.parse().map(Some).map_err(unreadable)
}

/// An action in words.
pub fn action_name(action: &str) -> &str {
    match action {
        "inmail" => "InMail",
        "invite" => "Invite",
        "message" => "Message",
        "profile_view" => "Profile view",
        "engagement" => "Engagement",
        other => other,
    }
}

/// A name of a closed list in words.
pub fn spoken(name: &str) -> String {
    name.replace('_', " ").replace("inmail", "InMail")
}

/// The share of a whole in percent, from 0 to 100, for a bar.
pub fn percent(part: i32, whole: i32) -> i32 {
    if whole <= 0 {
        if part > 0 { 100 } else { 0 }
    } else {
        (i64::from(part) * 100 / i64::from(whole)).clamp(0, 100) as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_cursor_asks_for_the_first_page() {
        assert_eq!(read_cursor("", "/").expect("the first page"), None);
        assert!(read_cursor("x", "/").is_err());
    }

    #[test]
    fn bars_are_never_longer_than_their_frame() {
        assert_eq!([percent(0, 50), percent(25, 50), percent(60, 50)], [0, 50, 100]);
        assert_eq!([percent(0, 0), percent(3, 0), percent(i32::MAX, i32::MAX)], [0, 100, 100]);
    }
}
