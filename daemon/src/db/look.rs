//! What the commands show: cards, and everything about one account. Rows come as JSON, so that
//! `--json` and the tables show the same.

use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::Session;
use crate::error::Result;

/// The clock, by which everything that is shown is read.
const NOW: &str = "SELECT to_char(sendgate.clock() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";

/// Accounts with something to see first, then by name.
const CARDS: &str = "SELECT to_jsonb(c) FROM sendgate.account_cards AS c
ORDER BY c.pill IS NULL AND c.status = 'connected' AND c.unresolved = 0 AND c.parked = 0, c.account_id
LIMIT $1";

/// How many accounts there are.
const ACCOUNTS: &str = "SELECT count(*) FROM sendgate.linkedin_accounts AS a";

/// Heartbeats.
const JOBS: &str = "SELECT to_jsonb(h) FROM sendgate.reconciler_health AS h ORDER BY h.job";

/// Open alerts, newest first.
const ALERTS: &str = "SELECT to_jsonb(o) FROM sendgate.open_alerts AS o ORDER BY o.opened_at DESC LIMIT $1";

/// One account's card.
const CARD: &str = "SELECT to_jsonb(c) FROM sendgate.account_cards AS c WHERE c.account_id = $1";

/// Its counters, by action.
const COUNTERS: &str = "SELECT to_jsonb(k) FROM sendgate.counters AS k WHERE k.account_id = $1";

/// Its breaker.
const BREAKER: &str = "SELECT to_jsonb(b) FROM sendgate.breakers AS b WHERE b.account_id = $1";

/// What nobody has settled, oldest first.
const UNRESOLVED: &str = "SELECT to_jsonb(o) FROM sendgate.operations_unresolved AS o
WHERE o.account_id = $1 AND (o.state = 'indeterminate' OR o.expired)
ORDER BY o.reserved_at LIMIT $2";

/// Its last corrections, newest first.
const CORRECTIONS: &str = "SELECT to_jsonb(d) FROM sendgate.counter_drift AS d
WHERE d.account_id = $1 ORDER BY d.at DESC LIMIT $2";

/// Its open alerts.
const ITS_ALERTS: &str = "SELECT to_jsonb(o) FROM sendgate.open_alerts AS o
WHERE o.account_id = $1 ORDER BY o.opened_at DESC LIMIT $2";

/// What the gate would answer now.
const PREVIEW: &str = "SELECT to_jsonb(p) FROM sendgate.preview($1, $2) AS p";

/// Everything about one account.
#[derive(Clone, Debug)]
pub struct AccountFacts {
    /// Its card.
    pub card: Value,
    /// Its counters, by action.
    pub counters: Vec<Value>,
    /// Its breaker.
    pub breaker: Value,
    /// Operations that nobody has settled.
    pub unresolved: Vec<Value>,
    /// Its last corrections.
    pub corrections: Vec<Value>,
    /// Its open alerts.
    pub alerts: Vec<Value>,
}

impl Session {
    /// The database's clock, in UTC.
    pub async fn now(&self) -> Result<String> {
        Ok(self.row("reading the clock", NOW, &[]).await?.get(0))
    }

    /// The first so many cards, and how many accounts there are.
    pub async fn cards(&self, rows_max: i64) -> Result<(Vec<Value>, i64)> {
        let cards = self.objects("reading cards", CARDS, &[(&rows_max, Type::INT8)]).await?;
        Ok((cards, self.row("counting accounts", ACCOUNTS, &[]).await?.get(0)))
    }

    /// The jobs' heartbeats.
    pub async fn jobs(&self) -> Result<Vec<Value>> {
        self.objects("reading heartbeats", JOBS, &[]).await
    }

    /// The newest open alerts.
    pub async fn open_alerts(&self, rows_max: i64) -> Result<Vec<Value>> {
        self.objects("reading alerts", ALERTS, &[(&rows_max, Type::INT8)]).await
    }

    /// Everything about one account; none if there is no such account.
    pub async fn account_facts(&self, account: &str, rows_max: i64) -> Result<Option<AccountFacts>> {
        let what = "reading the account";
        let one: [(&(dyn ToSql + Sync), Type); 1] = [(&account, Type::TEXT)];
        let some: [(&(dyn ToSql + Sync), Type); 2] = [(&account, Type::TEXT), (&rows_max, Type::INT8)];
        let Some(card) = self.objects(what, CARD, &one).await?.into_iter().next() else {
            return Ok(None);
        };
        Ok(Some(AccountFacts {
            card,
            counters: self.objects(what, COUNTERS, &one).await?,
            breaker: self.row(what, BREAKER, &one).await?.get(0),
            unresolved: self.objects(what, UNRESOLVED, &some).await?,
            corrections: self.objects(what, CORRECTIONS, &some).await?,
            alerts: self.objects(what, ITS_ALERTS, &some).await?,
        }))
    }

    /// What the gate would answer now.
    pub async fn preview(&self, account: &str, action: &str) -> Result<Value> {
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&account, Type::TEXT), (&action, Type::TEXT)];
        Ok(self.row("asking the gate", PREVIEW, &parameters).await?.get(0))
    }

    async fn objects(
        &self,
        what: &'static str,
        sql: &str,
        parameters: &[(&(dyn ToSql + Sync), Type)],
    ) -> Result<Vec<Value>> {
        Ok(self.rows(what, sql, parameters).await?.iter().map(|row| row.get(0)).collect())
    }
}
