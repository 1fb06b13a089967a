//! The breaker's lines: taken by deleting, in a transaction that ends when they are printed.

use tokio_postgres::types::Type;

use super::Session;
use crate::error::Result;
use crate::outbox::Line;

/// Instants as text, so that they are printed as the database means them.
const TAKE: &str = "SELECT l.id::text, l.action, l.account_id::text, l.prospect_id::text,
       to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
       l.reason, l.actor,
       to_char(l.exhausted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
       l.campaign_id::text
FROM sendgate.take_breaker_lines($1) AS l";

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
