//! Unknown outcomes of all accounts.

use tokio_postgres::types::{ToSql, Type};

use super::account::{Unresolved, unresolved};
use super::logs::Cursor;
use crate::db::{Session, Untrusted};
use crate::error::Result;

/// Newest first, by `send_operations_unknown_idx`. $1, $2 and $4 are the last one seen, or NULL: ids of
/// operations come from applications, and two accounts may have the same.
const UNKNOWN: &str = "SELECT o.operation_id::text, o.action::text, o.prospect_id, o.campaign_id, o.state::text,
       to_char(o.reserved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), o.http_status, o.error_type, o.error,
       to_char(o.unknown_since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), o.account_id
FROM sendgate.send_operations AS o
WHERE o.unknown_since IS NOT NULL
  AND ($1 IS NULL OR (o.unknown_since, o.operation_id, o.account_id) < ($1::timestamptz, $2::uuid, $4))
ORDER BY o.unknown_since DESC, o.operation_id DESC, o.account_id DESC LIMIT $3";

/// An unknown outcome in the list of all accounts.
#[derive(Clone, Debug)]
pub struct Unknown {
    /// Its place in the list.
    pub cursor: Cursor,
    /// Whose account.
    pub account: Untrusted,
    /// The operation.
    pub operation: Unresolved,
}

impl Session {
    /// A page of the unknown outcomes of all accounts; the last one seen was on the account beside it.
    pub async fn unknown_outcomes(
        &self,
        after: Option<(&Cursor, &str)>,
        rows_max: i64,
    ) -> Result<Vec<Unknown>> {
        let at = after.map(|(after, _)| after.at.as_str());
        let (id, account) = (after.map(|(after, _)| after.id.as_str()), after.map(|(_, account)| account));
        let parameters: [(&(dyn ToSql + Sync), Type); 4] =
            [(&at, Type::TEXT), (&id, Type::TEXT), (&rows_max, Type::INT8), (&account, Type::TEXT)];
        let unknown = |row: &tokio_postgres::Row| Unknown {
            cursor: Cursor { id: row.get(0), at: row.get(9) },
            account: row.get(10),
            operation: unresolved(row),
        };
        Ok(self.rows("reading unknown outcomes", UNKNOWN, &parameters).await?.iter().map(unknown).collect())
    }
}
