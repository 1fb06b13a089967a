//! The breaker's lines: a transaction deletes them from the outbox, and commits once they are printed.

use serde::Serialize;
use tokio_postgres::types::Type;

use super::Session;
use crate::error::Result;

/// Instants as text in the format that is printed, with all six digits.
const TAKE: &str = "SELECT l.id::text, l.action, l.account_id::text, l.prospect_id::text,
       to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
       l.reason, l.actor,
       to_char(l.exhausted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
       l.campaign_id::text
FROM sendgate.take_breaker_lines($1) AS l";

/// One line, as it is printed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// [`Line::SOURCE`], to find these lines among others.
    pub source: &'static str,
    /// `set`, `clear` or `skip`.
    pub action: String,
    /// The account.
    pub account_id: String,
    /// The prospect of a skipped send.
    pub prospect_id: Option<String>,
    /// The instant in UTC.
    pub ts: String,
    /// The line's id: a line that is printed twice has the same.
    pub id: String,
    /// The reason.
    pub reason: String,
    /// The login or operator that caused it.
    pub actor: String,
    /// The stamp in UTC: since when the credits are exhausted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhausted_at: Option<String>,
    /// The campaign of a skipped send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
    /// The database's name where several are served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
}

impl Line {
    /// The value of the field `source` in every line.
    pub const SOURCE: &'static str = "inmail_credit_breaker";
}

impl Session {
    /// Begins a transaction and takes at most `lines_max` lines in it, oldest first.
    pub async fn take_breaker_lines(&self, lines_max: i32) -> Result<Vec<Line>> {
        self.execute("beginning to take lines", "BEGIN").await?;
        let rows = self.rows("taking the breaker's lines", TAKE, &[(&lines_max, Type::INT4)]).await;
        if rows.is_err() {
            // If this fails too, the connection is lost, and the next statement finds that out.
            let _ = self.execute("giving lines back", "ROLLBACK").await;
        }
        let line = |row: &tokio_postgres::Row| Line {
            source: Line::SOURCE,
            action: row.get(1),
            account_id: row.get(2),
            prospect_id: row.get(3),
            ts: row.get(4),
            id: row.get(0),
            reason: row.get(5),
            actor: row.get(6),
            exhausted_at: row.get(7),
            campaign_id: row.get(8),
            database: None,
        };
        Ok(rows?.iter().map(line).collect())
    }

    /// Commits: the lines that were taken are gone from the outbox.
    pub async fn keep_breaker_lines(&self) -> Result<()> {
        self.execute("ending the taking of lines", "COMMIT").await
    }
}
