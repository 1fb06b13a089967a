//! The operators' console: it shows what happens to accounts and why, and a signed-in operator can act on it.
//! The server makes the pages, which need no script; each reads the database anew.
//!
//! | room | what it does |
//! | --- | --- |
//! | [`access`] | hosts, origins, sessions, and the headers of every answer |
//! | [`sign_in`], [`sessions`], [`attempts`], [`csrf`] | signing in, and knowing the visitor afterwards |
//! | [`pages`] | the pages that show something |
//! | [`acts`] | the page that asks for an act's note, and the operators' function that does it |
//! | [`lists`] | the lists as JSON and CSV |
//! | [`kind`] | the closed list of acts |
//! | [`chart`], [`month`] | an account's day and its last 30 days as drawings |
//! | [`scope`], [`places`] | which of several databases a page is about, and which one an address means |
//! | [`zones`], [`links`], [`span`] | the reader's time zone, addresses within the console, times in them |
//!
//! To add a page: a file in `pages`, its template, its route below, its statements in `db`.

pub mod access;
pub mod acts;
pub mod attempts;
pub mod chart;
pub mod csrf;
pub mod kind;
pub mod links;
pub mod lists;
pub mod month;
pub mod pages;
pub mod places;
pub mod scope;
pub mod sessions;
pub mod sign_in;
pub mod span;
pub mod zones;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use axum::extract::DefaultBodyLimit;
use axum::http::header;
use axum::routing::get;
use axum::{Router, middleware};
use tokio_postgres::error::SqlState;

use crate::config::tokens::Tokens;
use crate::config::{Config, ConsoleMode};
use crate::db::Session;
use crate::db::console::fleet::Fleet;
use crate::db::served::{Member, Members};
use crate::error::Result;
use acts::Desk;
use attempts::Attempts;
use sessions::Sessions;
use zones::Zones;

/// Longest form: a note of 2,000 characters, each up to four bytes, and each byte up to three in transit.
const BODY_BYTES_MAX: usize = 32 * 1024;

/// The state that all pages share.
#[derive(Debug)]
pub struct Console {
    members: Members,
    tokens: Tokens,
    sessions: Mutex<Sessions>,
    attempts: Mutex<Attempts>,
    bearers: Mutex<Attempts>,
    desk: Mutex<Desk>,
    zones: Mutex<Zones>,
    /// All accounts of each database together as they were counted last, by its name.
    fleets: Mutex<HashMap<Arc<str>, Arc<Fleet>>>,
    /// Host names that it answers to, besides addresses and localhost.
    hosts: Vec<String>,
    /// Whether only signed-in operators see it.
    is_closed: bool,
}

impl Console {
    /// The console of this configuration. If other machines reach it, only signed-in operators see it.
    pub fn new(config: &Config, members: Members, is_reached: bool) -> Arc<Console> {
        Arc::new(Console {
            members,
            tokens: config.tokens.clone(),
            sessions: Mutex::new(Sessions::new(config.session_idle)),
            attempts: Mutex::default(),
            bearers: Mutex::default(),
            desk: Mutex::default(),
            zones: Mutex::default(),
            fleets: Mutex::default(),
            hosts: config.console_hosts.clone(),
            is_closed: is_reached || config.console == ConsoleMode::SignedIn,
        })
    }

    fn sessions(&self) -> MutexGuard<'_, Sessions> {
        self.sessions.lock().expect("no thread panics while it holds this")
    }

    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.attempts.lock().expect("no thread panics while it holds this")
    }

    fn bearers(&self) -> MutexGuard<'_, Attempts> {
        self.bearers.lock().expect("no thread panics while it holds this")
    }

    fn zones(&self) -> MutexGuard<'_, Zones> {
        self.zones.lock().expect("no thread panics while it holds this")
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().expect("no thread panics while it holds this")
    }

    /// One turn on the connection that all pages of a database share: waits for it, asks, and lets it go. The database is
    /// the one that the page is about.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`](crate::error::Error::Busy) if the other pages need it for too long; else those of
    /// `ask`. After an error that ends the session, the next turn makes a new one.
    async fn turn<T>(&self, ask: impl AsyncFnOnce(&Session) -> Result<T>) -> Result<T> {
        let member = self.one().clone();
        let mut link = member.pages.turn().await?;
        let answer = match link.session().await {
            Ok(session) => ask(session).await,
            Err(error) => Err(error),
        };
        link.settled(answer).await
    }

    /// All accounts of a database together, counted anew unless the last answer is fresh; none if counting took too long
    /// for a page.
    async fn fleet(&self, session: &Session, member: &Member) -> Result<Option<Arc<Fleet>>> {
        let known =
            self.fleets.lock().expect("no thread panics while it holds this").get(&member.name).cloned();
        if let Some(fleet) = known.filter(|fleet| fleet.is_fresh(Instant::now())) {
            return Ok(Some(fleet));
        }
        match session.fleet().await {
            Ok(fleet) => {
                let fleet = Arc::new(fleet);
                let mut fleets = self.fleets.lock().expect("no thread panics while it holds this");
                fleets.insert(member.name.clone(), fleet.clone());
                Ok(Some(fleet))
            }
            Err(error) if error.code() == Some(&SqlState::QUERY_CANCELED) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Forgets how all accounts stood: an operator changed something.
    fn forget_fleet(&self) {
        self.fleets.lock().expect("no thread panics while it holds this").clear();
    }

    /// Waits for acts that are under way, for at most a second.
    pub async fn finish(&self) {
        let under_way = self.desk().close();
        acts::finish(under_way).await;
    }
}

/// All pages, each behind the guard.
pub fn router(console: Arc<Console>) -> Router {
    let asset = |kind: &'static str, text: &'static str| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], text) })
    };
    Router::new()
        .route("/", get(pages::accounts::show))
        .route("/account", get(pages::account::show))
        .route("/events", get(pages::events::show))
        .route("/alerts", get(pages::alerts::show))
        .route("/unknown", get(pages::unknown::show))
        .route("/heartbeats", get(pages::heartbeats::show))
        .route("/zone", get(pages::zone::ask).post(pages::zone::choose))
        .route("/campaigns", get(pages::campaigns::show))
        .route("/campaign", get(pages::campaign::show))
        .route("/prospect", get(pages::prospect::show))
        .route("/log", get(pages::log::show))
        .route("/api/{list}", get(lists::api))
        .route("/act", get(acts::ask).post(acts::perform))
        .route("/sign-in", get(sign_in::ask).post(sign_in::sign_in))
        .route("/sign-out", axum::routing::post(sign_in::sign_out))
        .route("/assets/console.css", asset("text/css; charset=utf-8", include_str!("../assets/console.css")))
        .route(
            "/assets/console.js",
            asset("text/javascript; charset=utf-8", include_str!("../assets/console.js")),
        )
        .route("/assets/icon.svg", asset("image/svg+xml", include_str!("../assets/icon.svg")))
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(console.clone(), access::guard))
        .with_state(console)
}
