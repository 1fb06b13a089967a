//! Lists of all accounts, newest first and page by page: the campaigns' log and the unknown outcomes.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};

use crate::db::account::Unresolved;
use crate::db::cursor::Cursor;
use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Newest first, by `campaign_events_time_idx`. $1 and $2 are the cursor's time and id, or NULL.
const EVENTS: &str = "SELECT to_jsonb(e) FROM sendgate.campaign_events AS e
WHERE ($1 IS NULL OR (e.at, e.id) < ($1, $2::uuid))
ORDER BY e.at DESC, e.id DESC LIMIT $3";

/// The same of one campaign, by `campaign_events_campaign_idx`.
const EVENTS_OF_CAMPAIGN: &str = "SELECT to_jsonb(e) FROM sendgate.campaign_events AS e
WHERE e.campaign_id = $4 AND ($1 IS NULL OR (e.at, e.id) < ($1, $2::uuid))
ORDER BY e.at DESC, e.id DESC LIMIT $3";

/// The same of one account, and of one campaign of it if $5 names one. Ids are made in the order of time,
/// and the primary key has them by account.
const EVENTS_OF_ACCOUNT: &str = "SELECT to_jsonb(e) FROM sendgate.campaign_events AS e
WHERE e.account_id = $4 AND ($5 IS NULL OR e.campaign_id = $5)
  AND ($1 IS NULL OR e.id < $2::uuid)
ORDER BY e.id DESC LIMIT $3";

/// Newest first, by `send_operations_unknown_idx`. $1, $2 and $4 are the cursor's time and id and its
/// account, or NULL: ids of operations come from applications, and two accounts may have the same.
const UNKNOWN: &str = "SELECT to_jsonb(o) FROM sendgate.send_operations AS o
WHERE o.unknown_since IS NOT NULL
  AND ($1 IS NULL OR (o.unknown_since, o.operation_id, o.account_id) < ($1, $2::uuid, $4))
ORDER BY o.unknown_since DESC, o.operation_id DESC, o.account_id DESC LIMIT $3";

/// Of an account, an action or a time: among the next $9.
const UNKNOWN_OF: &str = "SELECT to_jsonb(o) FROM (
    SELECT o.* FROM sendgate.send_operations AS o
    WHERE o.unknown_since IS NOT NULL
      AND ($1 IS NULL OR (o.unknown_since, o.operation_id, o.account_id) < ($1, $2::uuid, $4))
    ORDER BY o.unknown_since DESC, o.operation_id DESC, o.account_id DESC LIMIT $9
) AS o
WHERE ($5 = '' OR o.account_id = $5) AND ($6 = '' OR o.action = $6)
  AND ($7 IS NULL OR o.reserved_at >= $7) AND ($8 IS NULL OR o.reserved_at < $8)
ORDER BY o.unknown_since DESC, o.operation_id DESC, o.account_id DESC LIMIT $3";

/// How many of the newest $5 are of an account, an action or a time.
const UNKNOWN_COUNTED: &str = "SELECT count(*) FROM (
    SELECT o.account_id, o.action, o.reserved_at FROM sendgate.send_operations AS o
    WHERE o.unknown_since IS NOT NULL ORDER BY o.unknown_since DESC LIMIT $5
) AS o
WHERE ($1 = '' OR o.account_id = $1) AND ($2 = '' OR o.action = $2)
  AND ($3 IS NULL OR o.reserved_at >= $3) AND ($4 IS NULL OR o.reserved_at < $4)";

/// Unknown outcomes that a page counts or looks through.
pub const UNKNOWN_COUNTED_MAX: i64 = 20_000;

/// Which unknown outcomes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Of<'a> {
    /// Of this account; empty: of all.
    pub account: &'a str,
    /// Of this action; empty: of all.
    pub action: &'a str,
    /// Reserved from this instant on.
    pub since: Option<Timestamp>,
    /// Reserved before this instant.
    pub before: Option<Timestamp>,
}

impl Of<'_> {
    /// Whether it names anything.
    pub fn is_all(&self) -> bool {
        self.account.is_empty() && self.action.is_empty() && self.since.is_none() && self.before.is_none()
    }
}

/// A piece of campaign work that was skipped, from `campaign_events`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Event {
    /// Its UUID.
    pub id: String,
    /// When it was skipped for the first time.
    pub at: Timestamp,
    /// The account.
    pub account_id: Untrusted,
    /// The campaign, if one was named.
    pub campaign_id: Option<Untrusted>,
    /// The prospect, if one was named.
    pub prospect_id: Option<Untrusted>,
    /// The action.
    pub action: String,
    /// The reason.
    pub reason: String,
    /// Until when it waits; none if it does not wait for credits.
    pub deferred_to: Option<Timestamp>,
    /// How often it was asked for again.
    pub repeats: i32,
    /// The provider's words.
    pub detail: Option<Untrusted>,
}

impl Event {
    /// Its place in the log.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.at, id: self.id.clone() }
    }
}

/// An operation of unknown outcome, in the list of all accounts.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Unknown {
    /// Since when its outcome is unknown.
    pub unknown_since: Timestamp,
    /// The operation.
    #[serde(flatten)]
    pub operation: Unresolved,
}

impl Unknown {
    /// Its place in the list, with its account.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.unknown_since, id: self.operation.operation_id.clone() }
    }
}

impl Session {
    /// At most `rows_max` skips after the cursor, newest first, of all or of one account or campaign.
    pub async fn campaign_log(
        &self,
        account: Option<&str>,
        campaign: Option<&str>,
        after: Option<&Cursor>,
        rows_max: i64,
    ) -> Result<Vec<Event>> {
        let (at, id) = halves(after);
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&at, Type::TIMESTAMPTZ), (&id, Type::TEXT), (&rows_max, Type::INT8)];
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
        self.objects("reading the campaigns' log", sql, &parameters).await
    }

    /// At most `rows_max` operations of unknown outcome after the cursor, newest first. The account is the
    /// one of the cursor's operation. Those of an account, an action or a time are looked for among the next
    /// [`UNKNOWN_COUNTED_MAX`].
    pub async fn unknown_outcomes(
        &self,
        of: Of<'_>,
        after: Option<(&Cursor, &str)>,
        rows_max: i64,
    ) -> Result<Vec<Unknown>> {
        let (at, id) = halves(after.map(|(cursor, _)| cursor));
        let account = after.map(|(_, account)| account);
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
            (&at, Type::TIMESTAMPTZ),
            (&id, Type::TEXT),
            (&rows_max, Type::INT8),
            (&account, Type::TEXT),
        ];
        let mut sql = UNKNOWN;
        if !of.is_all() {
            sql = UNKNOWN_OF;
            parameters.extend([
                (&of.account as _, Type::TEXT),
                (&of.action as _, Type::TEXT),
                (&of.since as _, Type::TIMESTAMPTZ),
                (&of.before as _, Type::TIMESTAMPTZ),
                (&UNKNOWN_COUNTED_MAX as _, Type::INT8),
            ]);
        }
        self.objects("reading unknown outcomes", sql, &parameters).await
    }

    /// How many of the newest [`UNKNOWN_COUNTED_MAX`] unknown outcomes these are.
    pub async fn unknown_counted(&self, of: Of<'_>) -> Result<i64> {
        let parameters = [
            (&of.account as _, Type::TEXT),
            (&of.action as _, Type::TEXT),
            (&of.since as _, Type::TIMESTAMPTZ),
            (&of.before as _, Type::TIMESTAMPTZ),
            (&UNKNOWN_COUNTED_MAX as _, Type::INT8),
        ];
        Ok(self.row("counting unknown outcomes", UNKNOWN_COUNTED, &parameters).await?.get(0))
    }
}

fn halves(after: Option<&Cursor>) -> (Option<Timestamp>, Option<&str>) {
    (after.map(|after| after.at), after.map(|after| after.id.as_str()))
}
