//! The only room that knows SQL: sessions, and one file for each thing that is asked of them.

pub mod account;
pub mod alerts;
pub mod checkup;
pub mod console;
pub mod cursor;
pub mod heartbeats;
pub mod jobs;
pub mod numbers;
pub mod outbox;
pub mod status;
mod timestamp;
mod tls;
mod untrusted;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::types::{Json, ToSql, Type};
use tokio_postgres::{Client, NoTls, Row};

use crate::config::target::{SslMode, Target};
use crate::error::{Error, Result, Retry};
pub use timestamp::Timestamp;
pub use untrusted::Untrusted;

/// Longest wait for another transaction's lock. Jobs pass held rows by.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// The same where all pages wait with the one that waits: what it reads is locked only when a table is
/// rewritten.
const PAGES_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// A transaction that waits for whoever reads standard output may take so long; then another daemon
/// may print its lines, and vacuum goes on.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(300);
/// How much longer than the server's own limit an answer is waited for, before the connection is
/// given up for dead.
const ANSWER_GRACE: Duration = Duration::from_secs(1);
/// Longest wait for a connection, name look-up and TLS included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection when somebody waits for a health check.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for the pages' connection while others use it: a person waits no longer.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait while a statement is cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// What a session is for; the daemon has one of each of the first four, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Runs jobs.
    Jobs,
    /// Takes the breaker's lines.
    Outbox,
    /// Answers health checks; its own, so that no sweep and no slow count starves them.
    Health,
    /// Counts for `/metrics` and reads for the console, in turn.
    Pages,
    /// A command that looks and ends.
    Command,
}

impl Purpose {
    /// The server ends a statement after this time.
    const fn statement_timeout(self) -> Duration {
        match self {
            // A batch of a thousand accounts takes well under a second; prune may read a large table.
            Purpose::Jobs => Duration::from_secs(300),
            Purpose::Outbox => Duration::from_secs(10),
            Purpose::Health => Duration::from_secs(2),
            Purpose::Pages => Duration::from_secs(8),
            Purpose::Command => Duration::from_secs(60),
        }
    }

    const fn lock_timeout(self) -> Duration {
        match self {
            Purpose::Pages => PAGES_LOCK_TIMEOUT,
            _ => LOCK_TIMEOUT,
        }
    }

    const fn open_timeout(self) -> Duration {
        match self {
            Purpose::Health => HEALTH_TIMEOUT,
            _ => OPEN_TIMEOUT,
        }
    }

    /// Whether a standby is of no use.
    const fn writes(self) -> bool {
        !matches!(self, Purpose::Command)
    }
}

/// What every session is told first. Names are looked up in the catalog only; numbers and times are
/// written in one way.
fn greeting(purpose: Purpose) -> String {
    format!(
        "SET search_path = pg_catalog, pg_temp;
         SET TimeZone = 'UTC';
         SET DateStyle = 'ISO, YMD';
         SET IntervalStyle = 'postgres';
         SET default_transaction_isolation = 'read committed';
         SET synchronous_commit = on;
         SET jit = off;
         SET statement_timeout = {};
         SET lock_timeout = {};
         SET idle_in_transaction_session_timeout = {}",
        purpose.statement_timeout().as_millis(),
        purpose.lock_timeout().as_millis(),
        IDLE_IN_TRANSACTION.as_millis(),
    )
}

/// One connection, and the task that serves it.
#[derive(Debug)]
pub struct Session {
    client: Client,
    driver: JoinHandle<()>,
    purpose: Purpose,
    target: Arc<Target>,
    /// An answer did not come in time: what comes now may be the old question's.
    given_up: AtomicBool,
}

impl Session {
    /// Connects.
    pub async fn open(target: &Arc<Target>, purpose: Purpose) -> Result<Session> {
        let what = "connecting";
        let limit = purpose.open_timeout();
        let timed_out = Error::TimedOut { what, after: limit };
        let connecting = Session::connect(target, purpose);
        let session = timeout(limit, connecting).await.map_err(|_| timed_out)??;
        session.execute("setting up the connection", &greeting(purpose)).await?;
        Ok(session)
    }

    async fn connect(target: &Arc<Target>, purpose: Purpose) -> Result<Session> {
        let mut config = target.driver.clone();
        if purpose.writes() {
            config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        }
        let failed = |source| Error::Connect { place: target.place(), source };
        // Each arm has a connection of its own type.
        let (client, driver) = if target.sslmode == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            (client, tokio::spawn(served(connection)))
        } else {
            let (client, connection) = config.connect(tls::connector(target)?).await.map_err(failed)?;
            (client, tokio::spawn(served(connection)))
        };
        Ok(Session { client, driver, purpose, target: target.clone(), given_up: AtomicBool::new(false) })
    }

    /// Whether it can still be asked.
    pub fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.given_up.load(Ordering::Relaxed)
    }

    /// Ends it, and waits for its task.
    pub async fn close(self) {
        let Session { client, mut driver, given_up, .. } = self;
        drop(client);
        if given_up.into_inner() || timeout(CANCEL_TIMEOUT, &mut driver).await.is_err() {
            driver.abort();
            let _ = driver.await;
        }
    }

    /// Asks the server to end the statement that runs. Whether it did shows in the statement.
    pub async fn cancel(&self) {
        let token = self.client.cancel_token();
        let asked = async {
            if self.target.sslmode == SslMode::Disable {
                let _ = token.cancel_query(NoTls).await;
            } else if let Ok(connector) = tls::connector(&self.target) {
                let _ = token.cancel_query(connector).await;
            }
        };
        let _ = timeout(CANCEL_TIMEOUT, asked).await;
    }

    /// Rows of a statement whose parameters have these types: one round trip, nothing prepared.
    async fn rows(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Row>> {
        self.bounded(what, self.client.query_typed(sql, parameters)).await
    }

    /// The one row of a statement.
    async fn row(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Row> {
        let rows = self.rows(what, sql, parameters).await?;
        rows.into_iter().next().ok_or(Error::NoRow { what })
    }

    /// Rows whose one column is a JSON object with the fields of `T`.
    async fn objects<T: DeserializeOwned>(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<T>> {
        let rows = self.rows(what, sql, parameters).await?;
        let object = |row: &Row| row.try_get(0).map(|Json(object)| object);
        rows.iter()
            .map(object)
            .collect::<std::result::Result<_, _>>()
            .map_err(|source| Error::Statement { what, source })
    }

    /// Statements without parameters and rows.
    async fn execute(&self, what: &'static str, sql: &str) -> Result<()> {
        self.bounded(what, self.client.batch_execute(sql)).await
    }

    /// Waits a little longer than the server would let it take; then the connection is dead.
    async fn bounded<T>(
        &self,
        what: &'static str,
        asked: impl Future<Output = std::result::Result<T, tokio_postgres::Error>>,
    ) -> Result<T> {
        let limit = self.purpose.statement_timeout() + ANSWER_GRACE;
        match timeout(limit, asked).await {
            Ok(answer) => answer.map_err(|source| Error::Statement { what, source }),
            Err(_) => {
                self.given_up.store(true, Ordering::Relaxed);
                Err(Error::TimedOut { what, after: limit })
            }
        }
    }
}

/// The far end of a connection. How it ends is told to whoever asked something.
async fn served(connection: impl Future<Output = std::result::Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// A connection that is made anew whenever it is needed and was lost.
#[derive(Debug)]
pub struct Link {
    target: Arc<Target>,
    purpose: Purpose,
    session: Option<Session>,
}

impl Link {
    /// Not connected yet.
    pub fn new(target: Arc<Target>, purpose: Purpose) -> Link {
        Link { target, purpose, session: None }
    }

    /// The session, connected if need be.
    pub async fn session(&mut self) -> Result<&Session> {
        if !self.session.as_ref().is_some_and(Session::is_usable) {
            self.close().await;
            self.session = Some(Session::open(&self.target, self.purpose).await?);
        }
        Ok(self.session.as_ref().expect("it was just made"))
    }

    /// Ends the session, if there is one.
    pub async fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close().await;
        }
    }

    /// The answer of its session. A session that is of no use any more is ended.
    pub async fn settled<T>(&mut self, answer: Result<T>) -> Result<T> {
        if answer.as_ref().is_err_and(|error| error.retry() != Retry::Later) {
            self.close().await;
        }
        answer
    }
}

/// A link that several pages use, one after the other.
#[derive(Clone, Debug)]
pub struct SharedLink(Arc<Mutex<Link>>);

impl SharedLink {
    /// Not connected yet.
    pub fn new(target: Arc<Target>, purpose: Purpose) -> SharedLink {
        SharedLink(Arc::new(Mutex::new(Link::new(target, purpose))))
    }

    /// The link, unless others need it for too long.
    pub async fn turn(&self) -> Result<MutexGuard<'_, Link>> {
        let late = Error::Busy { what: "waiting for the pages' connection", after: TURN_WITHIN };
        timeout(TURN_WITHIN, self.0.lock()).await.map_err(|_| late)
    }

    /// Ends its session. One that is in use ends with its page.
    pub async fn close(&self) {
        if let Ok(mut link) = self.0.try_lock() {
            link.close().await;
        }
    }
}
