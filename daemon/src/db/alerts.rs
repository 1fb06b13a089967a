//! Alerts that are not resolved: all, those of one account, and how many of each kind.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::{ToSql, Type};

use super::cursor::Cursor;
use super::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// Newest first, by `alerts_opened_idx`. $1 and $2 are the cursor's time and id, or NULL.
const OPEN: &str = "SELECT to_jsonb(o) FROM sendgate.open_alerts AS o
WHERE ($1 IS NULL OR (o.opened_at, o.alert_id) < ($1, $2::uuid))
ORDER BY o.opened_at DESC, o.alert_id DESC LIMIT $3";

/// The same of the kind $4, among the newest $5.
const OPEN_OF_KIND: &str = "SELECT to_jsonb(o) FROM (
    SELECT o.* FROM sendgate.open_alerts AS o
    WHERE ($1 IS NULL OR (o.opened_at, o.alert_id) < ($1, $2::uuid))
    ORDER BY o.opened_at DESC, o.alert_id DESC LIMIT $5
) AS o
WHERE o.kind = $4 ORDER BY o.opened_at DESC, o.alert_id DESC LIMIT $3";

/// The newest $1 by kind, and how many of them no person has seen.
const NEWEST_BY_KIND: &str = "SELECT o.kind, count(*), count(*) FILTER (WHERE o.acknowledged_by IS NULL) FROM (
    SELECT o.kind, o.acknowledged_by FROM sendgate.open_alerts AS o ORDER BY o.opened_at DESC, o.alert_id DESC LIMIT $1
) AS o GROUP BY o.kind ORDER BY 1";

/// Those of the newest $1 that no person has seen, of a kind and an account, or of all.
const TO_SEE: &str = "SELECT count(*) FROM (
    SELECT o.* FROM sendgate.open_alerts AS o ORDER BY o.opened_at DESC, o.alert_id DESC LIMIT $1
) AS o
WHERE o.acknowledged_by IS NULL AND ($2 = '' OR o.kind = $2) AND ($3 = '' OR o.account_id = $3)";

/// Open alerts that a page counts or looks through.
pub const LOOKED_AT_MAX: i64 = 10_000;

/// The same of one account; $3 is one of them, or NULL for all.
const OF_ACCOUNT: &str = "SELECT to_jsonb(o) FROM sendgate.open_alerts AS o
WHERE o.account_id = $1 AND ($3 IS NULL OR o.alert_id = $3::uuid)
ORDER BY o.opened_at DESC LIMIT $2";

/// The number of open alerts of each kind.
const BY_KIND: &str = "SELECT o.kind, count(*) FROM sendgate.open_alerts AS o GROUP BY o.kind ORDER BY 1";

/// An open alert, as the view `open_alerts` has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Alert {
    /// Its UUID.
    pub alert_id: String,
    /// The account that it is about; `*` for all.
    pub account_id: Untrusted,
    /// Its kind, from the closed list in docs/reference.md.
    pub kind: String,
    /// The UTC day that it is about.
    pub day: String,
    /// The finding, in a sentence.
    pub detail: Untrusted,
    /// When it was first seen.
    pub opened_at: Timestamp,
    /// The operator who acknowledged it.
    pub acknowledged_by: Option<Untrusted>,
}

impl Alert {
    /// Its place in the list of all open alerts.
    pub fn cursor(&self) -> Cursor {
        Cursor { at: self.opened_at, id: self.alert_id.clone() }
    }
}

impl Session {
    /// At most `rows_max` open alerts, newest first, after the cursor; of one kind if it is named, among the next
    /// [`LOOKED_AT_MAX`].
    pub async fn open_alerts(
        &self,
        kind: Option<&str>,
        after: Option<&Cursor>,
        rows_max: i64,
    ) -> Result<Vec<Alert>> {
        let (at, id) = (after.map(|after| after.at), after.map(|after| &after.id));
        let mut parameters: Vec<(&(dyn ToSql + Sync), Type)> =
            vec![(&at, Type::TIMESTAMPTZ), (&id, Type::TEXT), (&rows_max, Type::INT8)];
        let sql = match &kind {
            None => OPEN,
            Some(_) => {
                parameters.extend([(&kind as _, Type::TEXT), (&LOOKED_AT_MAX as _, Type::INT8)]);
                OPEN_OF_KIND
            }
        };
        self.objects("reading alerts", sql, &parameters).await
    }

    /// The newest [`LOOKED_AT_MAX`] open alerts by kind: how many, and how many of them no person has seen.
    pub async fn newest_by_kind(&self) -> Result<Vec<(String, i64, i64)>> {
        let rows = self.rows("counting alerts", NEWEST_BY_KIND, &[(&LOOKED_AT_MAX, Type::INT8)]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
    }

    /// Open alerts that no person has seen, of a kind and an account; an empty text names all.
    pub async fn alerts_to_see(&self, kind: &str, account: &str) -> Result<i64> {
        let parameters =
            [(&LOOKED_AT_MAX as _, Type::INT8), (&kind as _, Type::TEXT), (&account as _, Type::TEXT)];
        Ok(self.row("counting alerts", TO_SEE, &parameters).await?.get(0))
    }

    /// At most `rows_max` open alerts of one account, newest first; or only the one of that id.
    pub async fn account_alerts(&self, account: &str, rows_max: i64, id: Option<&str>) -> Result<Vec<Alert>> {
        let parameters = [(&account as _, Type::TEXT), (&rows_max as _, Type::INT8), (&id as _, Type::TEXT)];
        self.objects("reading alerts", OF_ACCOUNT, &parameters).await
    }

    /// The number of open alerts of each kind; kinds without one are missing.
    pub async fn alerts_by_kind(&self) -> Result<Vec<(String, i64)>> {
        let rows = self.rows("counting alerts", BY_KIND, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }
}
