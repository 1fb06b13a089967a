//! The only room that knows SQL: the connections, and one file for each subject of statements.
//!
//! | file | statements of |
//! | --- | --- |
//! | [`account`], [`cooldowns`], [`why`], [`stopped`], [`alerts`], [`heartbeats`] | rows that commands and console both show |
//! | [`status`], [`checkup`], [`guards`], [`compare`] | the commands `status` and `doctor` |
//! | [`console`] | the console's other pages and the acts |
//! | [`jobs`], [`outbox`], [`notifications`], [`numbers`] | the tasks: jobs, the breaker's lines, webhooks, `/metrics` |
//! | [`proxy`] | the command `proxy-sql`: the partitions' catalog, and the script of a proxy |
//! | [`zone`] | the time zone in which a reader sees instants |
//! | [`served`] | several databases, one beside the other |
//! | [`cursor`] | a place in a list that is read page by page |

pub mod account;
pub mod alerts;
pub mod checkup;
pub mod compare;
pub mod console;
pub mod cooldowns;
pub mod cursor;
pub mod guards;
pub mod heartbeats;
pub mod jobs;
pub mod notifications;
pub mod numbers;
pub mod outbox;
mod parts;
pub mod proxy;
pub mod served;
pub mod status;
pub mod stopped;
mod timestamp;
mod tls;
mod untrusted;
pub mod why;
pub mod zone;

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

/// Longest wait for another transaction's lock. Jobs skip held rows anyway.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);
/// The same for the pages, which all wait for the one that waits. The tables that they read are locked only
/// while they are rewritten.
const PAGES_LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest idle time in a transaction. The outbox waits in one for the reader of standard output; after this
/// time another daemon may print its lines, and vacuum can go on.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(300);
/// Time that an answer may take beyond the server's own limit, before the connection is taken for dead.
const ANSWER_GRACE: Duration = Duration::from_secs(1);
/// Longest wait for a connection, name look-up and TLS included.
const OPEN_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest wait for a connection of a health check, whose caller waits.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest wait for the pages' connection while others use it: people do not wait longer.
const TURN_WITHIN: Duration = Duration::from_secs(5);
/// Longest wait while a statement is cancelled.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(1);

/// The purpose of a session; the daemon has one of each of the first four, and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Runs jobs.
    Jobs,
    /// Takes the breaker's lines.
    Outbox,
    /// Answers health checks. It is their own, so that no sweep and no slow count delays them.
    Health,
    /// Counts for `/metrics`, reads for the console and lends notifications, one after the other.
    Pages,
    /// A command that reads and ends.
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

    /// Whether it needs a server that accepts writes.
    const fn writes(self) -> bool {
        !matches!(self, Purpose::Command)
    }
}

/// The first statement of every session. Names are looked up in the catalog only; numbers and times have one
/// format.
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
    /// An answer did not come in time: the next answer may be that of the old statement.
    given_up: AtomicBool,
}

impl Session {
    /// Connects and sets the session up.
    ///
    /// # Errors
    ///
    /// [`Error::Connect`] or [`Error::TimedOut`].
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
        // Each branch has a connection of another type.
        let (client, driver) = if target.sslmode == SslMode::Disable {
            let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
            (client, tokio::spawn(served(connection)))
        } else {
            let (client, connection) = config.connect(tls::connector(target)?).await.map_err(failed)?;
            (client, tokio::spawn(served(connection)))
        };
        Ok(Session { client, driver, purpose, target: target.clone(), given_up: AtomicBool::new(false) })
    }

    /// Whether it can still take a statement.
    fn is_usable(&self) -> bool {
        !self.client.is_closed() && !self.given_up.load(Ordering::Relaxed)
    }

    /// Ends it and waits for its task.
    pub async fn close(self) {
        let Session { client, mut driver, given_up, .. } = self;
        drop(client);
        if given_up.into_inner() || timeout(CANCEL_TIMEOUT, &mut driver).await.is_err() {
            driver.abort();
            let _ = driver.await;
        }
    }

    /// Asks the server to cancel the running statement. The statement's own result shows whether it did.
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

    /// The rows of a statement with typed parameters: one round trip, nothing prepared.
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

    /// The rows of a statement whose single column is JSON with the fields of `T`.
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

    /// Runs statements without parameters and rows.
    async fn execute(&self, what: &'static str, sql: &str) -> Result<()> {
        self.bounded(what, self.client.batch_execute(sql)).await
    }

    /// Waits a little longer than the server's own limit; then the connection is taken for dead.
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

/// Drives a connection until it ends. Pending statements get its error.
async fn served(connection: impl Future<Output = std::result::Result<(), tokio_postgres::Error>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended");
    }
}

/// A connection that is opened when it is needed, and opened again after it was lost.
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

    /// The session, connected if necessary.
    ///
    /// # Errors
    ///
    /// Those of [`Session::open`].
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

    /// Passes an answer of its session on, and ends the session if the error says that it cannot be used any
    /// more.
    pub async fn settled<T>(&mut self, answer: Result<T>) -> Result<T> {
        if answer.as_ref().is_err_and(|error| error.retry() != Retry::Later) {
            self.close().await;
        }
        answer
    }
}

/// A link that several pages use in turn.
#[derive(Clone, Debug)]
pub struct SharedLink(Arc<Mutex<Link>>);

impl SharedLink {
    /// Not connected yet.
    pub fn new(target: Arc<Target>, purpose: Purpose) -> SharedLink {
        SharedLink(Arc::new(Mutex::new(Link::new(target, purpose))))
    }

    /// The link, once the others are done with it.
    ///
    /// # Errors
    ///
    /// [`Error::Busy`] if that takes more than 5 s.
    pub async fn turn(&self) -> Result<MutexGuard<'_, Link>> {
        let late = Error::Busy { what: "waiting for the pages' connection", after: TURN_WITHIN };
        timeout(TURN_WITHIN, self.0.lock()).await.map_err(|_| late)
    }

    /// Ends its session. If a page uses it, it ends with that page.
    pub async fn close(&self) {
        if let Ok(mut link) = self.0.try_lock() {
            link.close().await;
        }
    }
}
