//! The breaker's lines: taken by deleting, in a transaction that ends when they are printed.

use serde::Serialize;
use tokio_postgres::types::Type;

use super::Session;
use crate::error::Result;

/// Instants as text, so that they are printed as the database means them.
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
    /// Whose breaker.
    pub account_id: String,
    /// To whom was to be sent, where there is such a one.
    pub prospect_id: Option<String>,
    /// When, in UTC.
    pub ts: String,
    /// The same line has the same id, should it ever come twice.
    pub id: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: String,
    /// Since when the credits are exhausted, in UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exhausted_at: Option<String>,
    /// The campaign whose work it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub campaign_id: Option<String>,
}

impl Line {
    /// What all lines have in the field `source`.
    pub const SOURCE: &'static str = "inmail_credit_breaker";
}

impl Session {
    /// Begins a transaction and takes up to so many lines in it, oldest first.
    pub async fn take_breaker_lines(&self, lines_max: i32) -> Result<Vec<Line>> {
        self.execute("beginning to take lines", "BEGIN").await?;
        let rows = self.rows("taking the breaker's lines", TAKE, &[(&lines_max, Type::INT4)]).await;
        if rows.is_err() {
            // If this fails too, the connection is of no use, and the next question finds that out.
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
        };
        Ok(rows?.iter().map(line).collect())
    }

    /// Ends the transaction: the lines that were taken are gone from the outbox.
    pub async fn keep_breaker_lines(&self) -> Result<()> {
        self.execute("ending the taking of lines", "COMMIT").await
    }
}
