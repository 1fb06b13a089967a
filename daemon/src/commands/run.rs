//! The daemon: starts its tasks, waits for a signal, stops and joins them.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::config::Config;
use crate::db::{Purpose, Session, SharedLink};
use crate::error::{Error, Result, Retry};
use crate::shutdown::{self, Shutdown};
use crate::tasks::http;
use crate::tasks::notifications::{Notifier, Poster};
use crate::tasks::outbox::Outbox;
use crate::tasks::scheduler::Scheduler;
use crate::tasks::tally::Tally;

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
    let target = config.databases[0].target.clone();
    let poster = Poster::new(&config.webhooks)?;
    let listener = http::listen(&config).await?;
    let listening = listener.local_addr().map_or_else(|_| config.listen.clone(), |at| at.to_string());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), listen = %listening, database = %target.place(), "started");
    tokio::select! {
        checked = check(&target) => checked?,
        () = signals.wait() => return Ok(()),
    }
    let (stopper, shutdown) = shutdown::channel();
    let tally = Arc::new(Tally::default());
    let mut tasks = JoinSet::new();
    tasks
        .spawn(Scheduler::new(target.clone(), shutdown.clone(), tally.clone()).run(config.databases[0].poll));
    tasks.spawn(outbox(&target, &shutdown, &tally).run());
    let link = SharedLink::new(target.clone(), Purpose::Pages);
    for webhook in config.webhooks.iter().cloned() {
        let (link, shutdown, tally) = (link.clone(), shutdown.clone(), tally.clone());
        tasks.spawn(Notifier::new(webhook, poster.clone(), link, shutdown, tally).run());
    }
    tasks.spawn(http::serve(listener, config, link, shutdown, tally));
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

fn outbox(
    target: &Arc<crate::config::target::Target>,
    shutdown: &Shutdown,
    tally: &Arc<Tally>,
) -> Outbox<tokio::io::Stdout> {
    Outbox::new(target.clone(), tokio::io::stdout(), shutdown.clone(), tally.clone())
}

/// Ends the daemon at once for an error that no retry can mend: a wrong password, for example. A database
/// that is down is no such error.
async fn check(target: &Arc<crate::config::target::Target>) -> Result<()> {
    match Session::open(target, Purpose::Jobs).await {
        Ok(session) => {
            session.close().await;
            Ok(())
        }
        Err(error) if error.retry() == Retry::Never => Err(error),
        Err(error) => {
            tracing::warn!(%error, "the database cannot be used yet");
            Ok(())
        }
    }
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
