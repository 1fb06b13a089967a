//! Notifications: what a webhook is to be told, and how webhooks are.

use serde::Serialize;
use serde_json::Value;
use tokio_postgres::types::{Json, Type};

use super::{Session, Timestamp, Untrusted};
use crate::error::{Error, Result};

/// sendgate's SQLSTATE for a webhook that is not registered.
const UNKNOWN_WEBHOOK: &str = "SG106";

const REGISTER: &str = "SELECT sendgate.register_webhook($1, $2)";

/// Instants as text in the format that is posted.
const TAKE: &str = "SELECT n.id::text, n.account_id, n.event,
       to_char(n.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), n.attempt, n.data
FROM sendgate.take_notifications($1, $2, make_interval(secs => $3)) AS n";

const SETTLE: &str =
    "SELECT sendgate.settle_notification($1, $2, $3::text::uuid, $4, make_interval(secs => $5))";

/// How webhooks are; what waits is counted up to a bound, and the oldest is looked for among those.
const WEBHOOKS: &str = "SELECT w.name::text, w.failing_since, w.given_up, w.error, q.waiting,
       extract(epoch FROM c.at - w.failing_since)::float8, extract(epoch FROM c.at - w.seen_at)::float8,
       extract(epoch FROM c.at - q.oldest)::float8
FROM sendgate.webhooks AS w CROSS JOIN (SELECT sendgate.clock() AS at) AS c
CROSS JOIN LATERAL (
    SELECT count(*) AS waiting, min(l.at) AS oldest
    FROM (SELECT o.at FROM sendgate.webhook_outbox AS o WHERE o.webhook = w.name LIMIT 100000) AS l
) AS q
ORDER BY 1";

/// An event that is lent.
#[derive(Clone, Debug)]
pub struct Notification {
    /// Its id, the same in every attempt.
    pub id: String,
    /// The account that it is about; `*`: none.
    pub account_id: String,
    /// `alert_opened` and its like.
    pub event: String,
    /// When it happened, in UTC.
    pub at: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// What is told.
    pub data: Value,
}

/// How a webhook is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WebhookState {
    /// Its name.
    pub name: String,
    /// Since when its receiver has taken nothing.
    pub failing_since: Option<Timestamp>,
    /// Events that were given up since then.
    pub given_up: i32,
    /// What became of the last attempt, if it failed.
    pub error: Option<Untrusted>,
    /// Events that wait; counted up to 100,000.
    pub waiting: i64,
    /// For how long it has been failing, in seconds.
    pub failing_seconds: Option<f64>,
    /// How long ago a daemon asked about it, in seconds.
    pub seen_seconds: f64,
    /// How long ago the oldest event that waits happened, in seconds; none if nothing waits.
    pub oldest_seconds: Option<f64>,
}

impl WebhookState {
    /// In a sentence.
    pub fn told(&self) -> String {
        let name = &self.name;
        let waits = match self.waiting {
            0 => "nothing waits".to_owned(),
            1 => "1 notification waits".to_owned(),
            more => format!("{more} notifications wait"),
        };
        let Some(since) = self.failing_since else { return format!("webhook {name}: {waits}") };
        let error = self.error.as_ref().map_or("", Untrusted::raw);
        let given_up = match self.given_up {
            0 => String::new(),
            1 => ", 1 was given up".to_owned(),
            more => format!(", {more} were given up"),
        };
        format!("webhook {name} has taken nothing since {} ({error}): {waits}{given_up}", since.to_iso())
    }
}

impl Session {
    /// Says that this daemon has the webhook in its configuration.
    pub async fn register_webhook(&self, name: &str, events: &[String]) -> Result<()> {
        let values = [(&name as _, Type::TEXT), (&events as _, Type::TEXT_ARRAY)];
        self.row("registering a webhook", REGISTER, &values).await?;
        Ok(())
    }

    /// Lends up to so many events of a webhook for so many seconds.
    pub async fn take_notifications(
        &self,
        webhook: &str,
        rows_max: i32,
        lease_seconds: f64,
    ) -> Result<Vec<Notification>> {
        let values =
            [(&webhook as _, Type::TEXT), (&rows_max as _, Type::INT4), (&lease_seconds as _, Type::FLOAT8)];
        let rows = self.rows("taking notifications", TAKE, &values).await?;
        let notification = |row: &tokio_postgres::Row| Notification {
            id: row.get(0),
            account_id: row.get(1),
            event: row.get(2),
            at: row.get(3),
            attempt: u32::try_from(row.get::<_, i32>(4)).unwrap_or(1),
            data: row.get::<_, Json<Value>>(5).0,
        };
        Ok(rows.iter().map(notification).collect())
    }

    /// Tells what became of a loan; answers `posted`, `waits` or `given_up`, and none if it no longer waits.
    pub async fn settle_notification(
        &self,
        webhook: &str,
        lent: &Notification,
        error: Option<&str>,
        retry_in_seconds: f64,
    ) -> Result<Option<String>> {
        let values = [
            (&webhook as _, Type::TEXT),
            (&lent.account_id as _, Type::TEXT),
            (&lent.id as _, Type::TEXT),
            (&error as _, Type::TEXT),
            (&retry_in_seconds as _, Type::FLOAT8),
        ];
        Ok(self.row("settling a notification", SETTLE, &values).await?.get(0))
    }

    /// How webhooks are, by name.
    pub async fn webhooks(&self) -> Result<Vec<WebhookState>> {
        let rows = self.rows("reading webhooks", WEBHOOKS, &[]).await?;
        let state = |row: &tokio_postgres::Row| WebhookState {
            name: row.get(0),
            failing_since: row.get(1),
            given_up: row.get(2),
            error: row.get(3),
            waiting: row.get(4),
            failing_seconds: row.get(5),
            seen_seconds: row.get(6),
            oldest_seconds: row.get(7),
        };
        Ok(rows.iter().map(state).collect())
    }
}

impl Error {
    /// Whether the database does not know the webhook.
    pub fn is_unknown_webhook(&self) -> bool {
        self.code().is_some_and(|code| code.code() == UNKNOWN_WEBHOOK)
    }
}
