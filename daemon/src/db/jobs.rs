//! The jobs' statements: the database decides which job is due and which process runs it.

use tokio_postgres::types::Type;

use super::Session;
use crate::error::Result;
use crate::job::Job;

/// Begins a run and commits its heartbeat, if the job is due and no other process runs it.
const BEGIN: &str = "SELECT sendgate.begin_run($1)";

/// Records the error of a run that failed: its own transaction was rolled back.
const RECORD_FAILURE: &str = "SELECT sendgate.record_run_failure($1, $2)";

/// The result of one batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Rows looked at.
    pub checked: i64,
    /// Rows changed.
    pub changed: i64,
    /// Whether another batch is to follow.
    pub more: bool,
}

/// One bounded batch, in a transaction of its own.
const fn batch_sql(job: Job) -> &'static str {
    match job {
        Job::MidnightReset => "SELECT j.checked, j.changed, j.more FROM sendgate.midnight_reset() AS j",
        Job::AuditEvents => "SELECT j.checked, j.changed, j.more FROM sendgate.audit_events() AS j",
        Job::ReconcileOperations => {
            "SELECT j.checked, j.changed, j.more FROM sendgate.reconcile_operations() AS j"
        }
        // begin_run has loaded the library, so these are its settings and not placeholders of the session.
        Job::Prune => {
            "SELECT j.checked, j.changed, j.more FROM sendgate.prune(
                 current_setting('sendgate.keep')::interval,
                 current_setting('sendgate.keep_events')::interval) AS j"
        }
    }
}

impl Session {
    /// Whether this session has to run the job now; if so, its run has begun.
    pub async fn begin_run(&self, job: Job) -> Result<bool> {
        let row = self.row("asking what is due", BEGIN, &[(&job.name(), Type::TEXT)]).await?;
        Ok(row.get(0))
    }

    /// Runs one batch of the job.
    pub async fn run_batch(&self, job: Job) -> Result<Batch> {
        let row = self.row(job.name(), batch_sql(job), &[]).await?;
        Ok(Batch { checked: row.get(0), changed: row.get(1), more: row.get(2) })
    }

    /// Records that the run of this session has failed.
    pub async fn record_run_failure(&self, job: Job, error: &str) -> Result<()> {
        let job = job.name();
        let parameters = [(&job as _, Type::TEXT), (&error as _, Type::TEXT)];
        self.row("recording a failed run", RECORD_FAILURE, &parameters).await.map(|_| ())
    }
}
