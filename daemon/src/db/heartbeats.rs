//! The jobs' heartbeats, with their ages in seconds, and the last runs of each job.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// The view, with its ages in seconds, and how long the last run took that ended well.
const HEARTBEATS: &str = "SELECT to_jsonb(h) || jsonb_build_object(
       'age_seconds', extract(epoch FROM h.age)::float8,
       'success_age_seconds', extract(epoch FROM c.at - h.last_success)::float8,
       'last_run_seconds', (
           SELECT extract(epoch FROM r.finished_at - r.started_at)::float8
           FROM sendgate.reconcile_runs AS r
           WHERE r.job = h.job AND r.state = 'ok'
           ORDER BY r.started_at DESC LIMIT 1))
FROM sendgate.reconciler_health AS h
CROSS JOIN (SELECT sendgate.clock() AS at) AS c
ORDER BY h.job";

/// The last runs of every job, newest first; $1 of each job.
const RUNS: &str = "SELECT to_jsonb(r) || jsonb_build_object(
       'seconds', extract(epoch FROM r.finished_at - r.started_at)::float8)
FROM unnest(ARRAY['audit_events', 'midnight_reset', 'prune', 'reconcile_operations']) AS j (job)
CROSS JOIN LATERAL (
    SELECT * FROM sendgate.reconcile_runs AS r
    WHERE r.job = j.job ORDER BY r.started_at DESC LIMIT $1
) AS r
ORDER BY r.started_at DESC";

/// A job's heartbeat, as the view `reconciler_health` has it.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
pub struct Heartbeat {
    /// The job.
    pub job: String,
    /// When its last run began; none if it never ran.
    pub last_run: Option<Timestamp>,
    /// State of the last run: `running`, `ok`, `failed` or `crashed`; none if it never ran.
    pub last_state: Option<String>,
    /// Time since the last run began, as PostgreSQL writes an interval.
    pub age: Option<String>,
    /// The same in seconds.
    pub age_seconds: Option<f64>,
    /// When a sweep last reached its end.
    pub last_success: Option<Timestamp>,
    /// Time since then, in seconds.
    pub success_age_seconds: Option<f64>,
    /// How long the last run took that ended well, in seconds.
    pub last_run_seconds: Option<f64>,
    /// Whether the job missed two runs.
    pub stale: bool,
    /// Rows that the last run looked at.
    pub checked: Option<i64>,
    /// Rows that the last run changed.
    pub changed: Option<i64>,
    /// Why the last run failed.
    pub error: Option<Untrusted>,
}

impl Heartbeat {
    /// Whether its last run failed, or its process died.
    pub fn has_failed(&self) -> bool {
        matches!(self.last_state.as_deref(), Some("failed" | "crashed"))
    }
}

/// A run of a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// The job.
    pub job: String,
    /// `running`, `ok`, `failed` or `crashed`.
    pub state: String,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in seconds; none while it runs.
    pub seconds: Option<f64>,
    /// Rows that it looked at.
    pub checked: i64,
    /// Rows that it changed.
    pub changed: i64,
    /// The login that ran it.
    pub actor: Untrusted,
    /// Why it failed.
    pub error: Option<Untrusted>,
}

impl Session {
    /// The heartbeat of every job, by name.
    pub async fn heartbeats(&self) -> Result<Vec<Heartbeat>> {
        self.objects("reading heartbeats", HEARTBEATS, &[]).await
    }

    /// The last runs of every job, newest first, at most `of_each_max` of each job.
    pub async fn runs(&self, of_each_max: i64) -> Result<Vec<Run>> {
        self.objects("reading runs", RUNS, &[(&of_each_max, Type::INT8)]).await
    }
}
