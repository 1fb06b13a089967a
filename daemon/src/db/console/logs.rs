//! The campaigns' log, the open alerts and the heartbeats, page by page.

use tokio_postgres::types::{ToSql, Type};

use crate::db::{Session, Untrusted};
use crate::error::Result;

/// What is read of a campaign event.
macro_rules! events {
    ($which:literal) => {
        concat!(
            "SELECT e.id::text, to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
       e.account_id, e.campaign_id, e.prospect_id, e.action::text, e.reason,
       to_char(e.deferred_to AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), e.repeats::integer, e.detail
FROM sendgate.campaign_events AS e ",
            $which
        )
    };
}

/// Newest first, by `campaign_events_time_idx`. $1 and $2 are time and id of the last one seen, or NULL.
const EVENTS: &str = events!(
    "WHERE ($1 IS NULL OR (e.at, e.id) < ($1::timestamptz, $2::uuid))
ORDER BY e.at DESC, e.id DESC LIMIT $3"
);

/// The same of one campaign, by `campaign_events_campaign_idx`.
const EVENTS_OF_CAMPAIGN: &str = events!(
    "WHERE e.campaign_id = $4 AND ($1 IS NULL OR (e.at, e.id) < ($1::timestamptz, $2::uuid))
ORDER BY e.at DESC, e.id DESC LIMIT $3"
);

/// The same of one account, and of one campaign of it where one is named. Ids are made in the order of
/// time, and the primary key has them by account.
const EVENTS_OF_ACCOUNT: &str = events!(
    "WHERE e.account_id = $4 AND ($5 IS NULL OR e.campaign_id = $5)
  AND ($1 IS NULL OR e.id < $2::uuid)
ORDER BY e.id DESC LIMIT $3"
);

/// Open alerts, newest first, by `alerts_opened_idx`.
const ALERTS: &str =
    "SELECT o.alert_id::text, to_char(o.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'),
       o.account_id, o.kind, o.day::text, o.detail, o.acknowledged_by
FROM sendgate.open_alerts AS o
WHERE ($1 IS NULL OR (o.opened_at, o.alert_id) < ($1::timestamptz, $2::uuid))
ORDER BY o.opened_at DESC, o.alert_id DESC LIMIT $3";

/// Open alerts of one account; $3 is one of them, or NULL for all.
const ALERTS_OF_ACCOUNT: &str = "SELECT o.alert_id::text,
       to_char(o.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), o.account_id, o.kind, o.day::text,
       o.detail, o.acknowledged_by
FROM sendgate.open_alerts AS o
WHERE o.account_id = $1 AND ($3 IS NULL OR o.alert_id = $3::uuid)
ORDER BY o.opened_at DESC LIMIT $2";

/// Heartbeats.
const HEARTBEATS: &str = "SELECT h.job, coalesce(h.last_state, 'never ran'),
       to_char(h.last_run AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       extract(epoch FROM h.age)::float8, h.checked, h.changed,
       to_char(h.last_success AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), h.stale, h.error
FROM sendgate.reconciler_health AS h ORDER BY h.job";

/// The last runs of every job, newest first.
const RUNS: &str = "SELECT r.job, r.state, to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       extract(epoch FROM r.finished_at - r.started_at)::float8, r.checked, r.changed, r.actor, r.error
FROM unnest(ARRAY['audit_events', 'midnight_reset', 'prune', 'reconcile_operations']) AS j (job)
CROSS JOIN LATERAL (
    SELECT * FROM sendgate.reconcile_runs AS r
    WHERE r.job = j.job ORDER BY r.started_at DESC LIMIT $1
) AS r
ORDER BY r.started_at DESC";

/// Where a page of a log begins: after the row of this time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When, to the microsecond, in UTC.
    pub at: String,
    /// Which.
    pub id: String,
}

/// What a prospect was spared, and why.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its place in the log.
    pub cursor: Cursor,
    /// Whose account.
    pub account: Untrusted,
    /// Which campaign.
    pub campaign: Option<Untrusted>,
    /// To whom.
    pub prospect: Option<Untrusted>,
    /// What was to be sent.
    pub action: String,
    /// Why not.
    pub reason: String,
    /// Until when it waits.
    pub deferred_to: Option<String>,
    /// How often it was asked for again.
    pub repeats: i32,
    /// The provider's words.
    pub detail: Option<Untrusted>,
}

/// An open alert.
#[derive(Clone, Debug)]
pub struct Alert {
    /// Its place among the others; the id is the alert's.
    pub cursor: Cursor,
    /// Whose account; `*` for all.
    pub account: Untrusted,
    /// Its kind.
    pub kind: String,
    /// The day that it is about.
    pub day: String,
    /// What was found.
    pub detail: Untrusted,
    /// Who has seen it.
    pub acknowledged_by: Option<Untrusted>,
}

/// A job's heartbeat.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    /// The job.
    pub job: String,
    /// How its last run ended.
    pub state: String,
    /// When that began.
    pub last_run: Option<String>,
    /// How long ago, in seconds.
    pub age_seconds: Option<f64>,
    /// What it looked at.
    pub checked: Option<i64>,
    /// What it changed.
    pub changed: Option<i64>,
    /// When a sweep last reached its end.
    pub last_success: Option<String>,
    /// Whether two runs were missed.
    pub stale: bool,
    /// Why the last one failed.
    pub error: Option<Untrusted>,
}

/// A run of a job.
#[derive(Clone, Debug)]
pub struct Run {
    /// The job.
    pub job: String,
    /// `running`, `ok`, `failed` or `crashed`.
    pub state: String,
    /// When it began.
    pub started_at: String,
    /// How long it took, once it ended.
    pub seconds: Option<f64>,
    /// What it looked at.
    pub checked: i64,
    /// What it changed.
    pub changed: i64,
    /// Who ran it.
    pub actor: Untrusted,
    /// Why it failed.
    pub error: Option<Untrusted>,
}

impl Session {
    /// A page of the campaigns' log, of all or of one account or campaign.
    pub async fn campaign_log(
        &self,
        account: Option<&str>,
        campaign: Option<&str>,
        after: Option<&Cursor>,
        rows_max: i64,
    ) -> Result<Vec<Event>> {
        let (at, id) = halves(after);
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&at, Type::TEXT), (&id, Type::TEXT), (&rows_max, Type::INT8)];
        let sql = match (&account, &campaign) {
            (None, None) => EVENTS,
            (None, Some(_)) => {
                parameters.push((&campaign, Type::TEXT));
                EVENTS_OF_CAMPAIGN
            }
            (Some(_), _) => {
                parameters.push((&account, Type::TEXT));
                parameters.push((&campaign, Type::TEXT));
                EVENTS_OF_ACCOUNT
            }
        };
        let event = |row: &tokio_postgres::Row| Event {
            cursor: Cursor { id: row.get(0), at: row.get(1) },
            account: row.get(2),
            campaign: row.get(3),
            prospect: row.get(4),
            action: row.get(5),
            reason: row.get(6),
            deferred_to: row.get(7),
            repeats: row.get(8),
            detail: row.get(9),
        };
        Ok(self.rows("reading the campaigns' log", sql, &parameters).await?.iter().map(event).collect())
    }

    /// A page of the open alerts, newest first.
    pub async fn alert_log(&self, after: Option<&Cursor>, rows_max: i64) -> Result<Vec<Alert>> {
        let (at, id) = halves(after);
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&at, Type::TEXT), (&id, Type::TEXT), (&rows_max, Type::INT8)];
        Ok(self.rows("reading alerts", ALERTS, &parameters).await?.iter().map(alert).collect())
    }

    /// Open alerts of one account, newest first; or only the one of that id.
    pub async fn account_alerts(&self, account: &str, rows_max: i64, id: Option<&str>) -> Result<Vec<Alert>> {
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&account, Type::TEXT), (&rows_max, Type::INT8), (&id, Type::TEXT)];
        Ok(self.rows("reading alerts", ALERTS_OF_ACCOUNT, &parameters).await?.iter().map(alert).collect())
    }

    /// The jobs' heartbeats.
    pub async fn console_heartbeats(&self) -> Result<Vec<Heartbeat>> {
        let heartbeat = |row: &tokio_postgres::Row| Heartbeat {
            job: row.get(0),
            state: row.get(1),
            last_run: row.get(2),
            age_seconds: row.get(3),
            checked: row.get(4),
            changed: row.get(5),
            last_success: row.get(6),
            stale: row.get(7),
            error: row.get(8),
        };
        Ok(self.rows("reading heartbeats", HEARTBEATS, &[]).await?.iter().map(heartbeat).collect())
    }

    /// The last runs of every job, newest first.
    pub async fn console_runs(&self, of_each_max: i64) -> Result<Vec<Run>> {
        let run = |row: &tokio_postgres::Row| Run {
            job: row.get(0),
            state: row.get(1),
            started_at: row.get(2),
            seconds: row.get(3),
            checked: row.get(4),
            changed: row.get(5),
            actor: row.get(6),
            error: row.get(7),
        };
        Ok(self.rows("reading runs", RUNS, &[(&of_each_max, Type::INT8)]).await?.iter().map(run).collect())
    }
}

fn halves(after: Option<&Cursor>) -> (Option<&str>, Option<&str>) {
    (after.map(|after| after.at.as_str()), after.map(|after| after.id.as_str()))
}

fn alert(row: &tokio_postgres::Row) -> Alert {
    Alert {
        cursor: Cursor { id: row.get(0), at: row.get(1) },
        account: row.get(2),
        kind: row.get(3),
        day: row.get(4),
        detail: row.get(5),
        acknowledged_by: row.get(6),
    }
}
