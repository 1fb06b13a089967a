//! The daemon: starts its tasks, waits for a signal, stops and joins them.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::config::databases::Database;
use crate::db::Purpose;
use crate::db::served::{self, Member, Members};
use crate::error::{Error, Result, Retry};
use crate::shutdown;
use crate::tasks::http;
use crate::tasks::notifications::{Notifier, Poster};
use crate::tasks::outbox::Outbox;
use crate::tasks::scheduler::Scheduler;
use crate::tasks::tally::Tally;
use crate::tasks::watch::Watch;

/// Longest wait for the tasks to end; the supervisor is promised five seconds.
const STOP_WITHIN: Duration = Duration::from_secs(4);

/// Runs until a signal comes, or a task cannot go on.
///
/// # Errors
///
/// The error of that task; an error at the start that no retry can mend, such as a wrong password.
pub async fn run(config: Config) -> Result<()> {
    let mut signals = Signals::catch()?;
    let config = Arc::new(config);
    let poster = Poster::new(&config.webhooks)?;
    let listener = http::listen(&config).await?;
    let listening = listener.local_addr().map_or_else(|_| config.listen.clone(), |at| at.to_string());
    let places: Vec<String> = config.databases.iter().map(|database| database.target.place()).collect();
    let database = places.join("; ");
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %listening, %database, "started");
    let members = Member::all(&config.databases);
    tokio::select! {
        checked = check(&config.databases, &members) => checked?,
        () = signals.wait() => return Ok(()),
    }
    let (stopper, shutdown) = shutdown::channel();
    let tallies = Tally::of(members.iter().map(|member| member.label.clone()));
    let out = Arc::new(Mutex::new(tokio::io::stdout()));
    let mut tasks = JoinSet::new();
    for ((database, member), tally) in config.databases.iter().zip(members.iter()).zip(&tallies) {
        let (target, new_tally) = (&database.target, || tally.clone());
        tasks.spawn(Scheduler::new(target.clone(), shutdown.clone(), new_tally()).run(database.poll));
        tasks.spawn(Outbox::new(target.clone(), out.clone(), shutdown.clone(), new_tally()).run());
        if member.label.is_some() {
            tasks.spawn(Watch::new(member.clone(), members.clone(), shutdown.clone()).run());
        }
        for webhook in config.webhooks.iter().cloned() {
            let (link, shutdown) = (member.pages.clone(), shutdown.clone());
            tasks.spawn(Notifier::new(webhook, poster.clone(), link, shutdown, new_tally()).run());
        }
    }
    tasks.spawn(http::serve(listener, config, members, shutdown, tallies[0].clone()));
    let mut result = tokio::select! {
        () = signals.wait() => Ok(()),
        Some(ended) = tasks.join_next() => ended.unwrap_or_else(|error| Err(broken(&error))),
    };
    tracing::info!("stopping");
    stopper.stop();
    let joined = timeout(STOP_WITHIN, async {
        while let Some(ended) = tasks.join_next().await {
            result =
                std::mem::replace(&mut result, Ok(())).and(ended.unwrap_or_else(|error| Err(broken(&error))));
        }
    });
    if joined.await.is_err() {
        tracing::warn!("some tasks did not end in time and were cut off");
        tasks.shutdown().await;
    }
    tracing::info!("stopped");
    result
}

/// Ends the daemon at once for an error that no retry can mend: a wrong password, for example, or two names of one
/// database. A database that is down is no such error.
async fn check(databases: &[Database], members: &Members) -> Result<()> {
    let reached = match served::reach(databases, Purpose::Jobs).await {
        Ok(reached) => reached,
        Err(error) if error.retry() == Retry::Never => return Err(error),
        Err(error) => {
            tracing::warn!(%error, "the database cannot be used yet");
            return Ok(());
        }
    };
    let mut checked = Ok(());
    for (one, member) in reached.iter().zip(members.iter()) {
        match &one.session {
            Ok(session) if one.label.is_some() => {
                if let Ok(identity) = session.identity().await {
                    member.is(identity);
                }
            }
            Ok(_) => (),
            Err(error) if error.retry() == Retry::Never => {
                checked = Err(Error::Usage(format!("database {}: {error}", one.name)));
            }
            Err(error) => {
                let database = one.label.as_deref();
                tracing::warn!(database, %error, "the database cannot be used yet");
            }
        }
    }
    served::close(reached).await;
    checked
}

fn broken(error: &tokio::task::JoinError) -> Error {
    Error::Usage(format!("a task broke off, which is a bug: {error}"))
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> Result<Signals> {
        let failed = |error| Error::Usage(format!("signals cannot be caught: {error}"));
        Ok(Signals {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => (),
            _ = self.interrupt.recv() => (),
        }
    }
}
