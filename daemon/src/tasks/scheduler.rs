//! Runs the jobs that are due. The database decides which are due and which daemon runs them: any number of
//! daemons may ask at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::config::target::Target;
use crate::db::jobs::Batch;
use crate::db::{Link, Purpose, Session};
use crate::error::{Error, Result, Retry};
use crate::job::{Job, Outcome};
use crate::schedule::{Backoff, RUN_MAX, chance, pause_after};
use crate::shutdown::Shutdown;
use crate::tasks::tally::Tally;

/// Longest wait for a cancelled statement, before the connection is dropped.
const CANCELLED_WITHIN: Duration = Duration::from_millis(1500);

/// The error that is recorded for a run which the shutdown ended.
const STOPPED: &str = "the daemon was told to stop; the next run goes on where this one ended";

/// Runs the jobs of one database, round after round, over one connection.
#[derive(Debug)]
pub struct Scheduler {
    link: Link,
    /// The database's name where several are served.
    database: Option<Arc<str>>,
    shutdown: Shutdown,
    tally: Tally,
    rests: [Rest; Job::ALL.len()],
}

/// A job that failed is left alone for a while: each attempt leaves a row.
#[derive(Debug)]
struct Rest {
    backoff: Backoff,
    until: Option<Instant>,
}

impl Scheduler {
    /// Not connected yet.
    pub fn new(target: Arc<Target>, shutdown: Shutdown, tally: Tally) -> Scheduler {
        let rest = |_| Rest { backoff: Backoff::of_jobs(), until: None };
        let database = tally.database().cloned();
        Scheduler {
            link: Link::new(target, Purpose::Jobs),
            database,
            shutdown,
            tally,
            rests: Job::ALL.map(rest),
        }
    }

    /// Runs until the shutdown signal, with a pause of `poll` between two rounds.
    pub async fn run(mut self, poll: Duration) -> Result<()> {
        let mut backoff = Backoff::of_connections();
        while !self.shutdown.is_on() {
            let pause = match self.round().await {
                Ok(_) => {
                    backoff.reset();
                    poll
                }
                Err(error) => {
                    let pause = backoff.after_failure(chance());
                    if !self.shutdown.is_on() {
                        let retry_in_ms = pause.as_millis() as u64;
                        tracing::warn!(database = self.database.as_deref(), %error, retry_in_ms, "jobs wait for the database");
                    }
                    self.tally.reconnected();
                    self.link.close().await;
                    pause
                }
            };
            self.shutdown.sleep(pause).await;
        }
        self.link.close().await;
        Ok(())
    }

    /// One round; then the connection ends.
    ///
    /// # Errors
    ///
    /// Those of [`Scheduler::round`].
    pub async fn single_round(mut self) -> Result<Vec<(Job, Outcome)>> {
        let outcomes = self.round().await;
        self.link.close().await;
        outcomes
    }

    /// Asks for each job, in order, whether it is due, and runs it. A job that fails does not stop the
    /// others.
    ///
    /// # Errors
    ///
    /// The database cannot be asked, so no job can run.
    pub async fn round(&mut self) -> Result<Vec<(Job, Outcome)>> {
        let mut outcomes = Vec::with_capacity(Job::ALL.len());
        for job in Job::ALL {
            if self.shutdown.is_on() {
                break;
            }
            let rest = &mut self.rests[job.index()];
            if rest.until.is_some_and(|until| until > Instant::now()) {
                outcomes.push((job, Outcome::Resting));
                continue;
            }
            let outcome = run_job(&mut self.link, job, &mut self.shutdown).await?;
            let database = self.database.as_deref();
            match &outcome {
                Outcome::Failed(error) => {
                    let pause = rest.backoff.after_failure(chance());
                    rest.until = Some(Instant::now() + pause);
                    let retry_in_s = pause.as_secs();
                    tracing::error!(database, job = job.name(), %error, retry_in_s, "a job failed");
                }
                Outcome::Done { checked, changed, batches, took } => {
                    rest.backoff.reset();
                    let took_ms = took.as_millis() as u64;
                    tracing::info!(
                        database,
                        job = job.name(),
                        checked,
                        changed,
                        batches,
                        took_ms,
                        "a job ran"
                    );
                }
                Outcome::Stopped => tracing::info!(database, job = job.name(), "a job was stopped"),
                Outcome::NotDue | Outcome::Resting => (),
            }
            self.tally.job_ran(job, &outcome);
            outcomes.push((job, outcome));
        }
        self.tally.round_ended();
        Ok(outcomes)
    }
}

/// Runs one job if it is due. An error means that the database cannot be asked; a failure of the job itself
/// is an outcome.
async fn run_job(link: &mut Link, job: Job, shutdown: &mut Shutdown) -> Result<Outcome> {
    let session = unless_stopped(shutdown, link.session()).await?;
    if !unless_stopped(shutdown, session.begin_run(job)).await? {
        return Ok(Outcome::NotDue);
    }
    let started = Instant::now();
    let (mut checked, mut changed, mut batches) = (0, 0, 0);
    loop {
        let began = Instant::now();
        match batch(session, job, shutdown).await {
            Ok(done) => {
                checked += done.checked;
                changed += done.changed;
                batches += 1;
                if !done.more {
                    return Ok(Outcome::Done { checked, changed, batches, took: started.elapsed() });
                }
            }
            Err(Error::Stopped) => return stopped(session, job).await,
            Err(error) if error.retry() == Retry::Later => {
                return failed(session, job, &error).await;
            }
            Err(error) => return Err(error),
        }
        shutdown.sleep(pause_after(began.elapsed())).await;
        if shutdown.is_on() {
            return stopped(session, job).await;
        }
        if started.elapsed() > RUN_MAX {
            let error = Error::TimedOut { what: job.name(), after: RUN_MAX };
            return failed(session, job, &error).await;
        }
    }
}

/// One batch; the shutdown cancels it.
async fn batch(session: &Session, job: Job, shutdown: &mut Shutdown) -> Result<Batch> {
    let running = session.run_batch(job);
    tokio::pin!(running);
    tokio::select! {
        done = &mut running => return done,
        () = shutdown.wait() => (),
    }
    session.cancel().await;
    match timeout(CANCELLED_WITHIN, running).await {
        Ok(Ok(done)) => Ok(done),
        _ => Err(Error::Stopped),
    }
}

async fn failed(session: &Session, job: Job, error: &Error) -> Result<Outcome> {
    let error = error.to_string();
    session.record_run_failure(job, &error).await?;
    Ok(Outcome::Failed(error))
}

async fn stopped(session: &Session, job: Job) -> Result<Outcome> {
    // If the statement did not end in time this fails too; then the next run finds that this one died.
    let _ = timeout(CANCELLED_WITHIN, session.record_run_failure(job, STOPPED)).await;
    Ok(Outcome::Stopped)
}

/// The answer, unless the shutdown comes first.
async fn unless_stopped<T>(shutdown: &mut Shutdown, asked: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        answer = asked => answer,
        () = shutdown.wait() => Err(Error::Stopped),
    }
}
