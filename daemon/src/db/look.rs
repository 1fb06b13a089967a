//! What the commands show: cards, and everything about one account. Rows come as JSON, so that
//! `--json` and the tables show the same.

use serde_json::Value;
use tokio_postgres::types::{ToSql, Type};

use super::Session;
use crate::error::Result;

/// The clock, by which everything that is shown is read.
const NOW: &str = "SELECT to_char(sendgate.clock() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";

/// Which accounts come first: those that stand still and those about which there is an alert, then by
/// name. Reads each account once, without what is costly to know; only then are cards made, for the
/// accounts that are shown. The next page begins after the account in $2.
const CARDS: &str = "WITH ranked AS (
    SELECT a.id,
           a.status = 'connected' AND t.account_id IS NULL
           AND coalesce(a.cooldown_until <= c.at, true)
           AND sendgate.breaker_state(a.breaker_mode, a.inmail_credits_exhausted_at, a.credit_reset_day, c.at)
               NOT IN ('open', 'forced_open') AS calm
    FROM sendgate.linkedin_accounts AS a
    CROSS JOIN (SELECT sendgate.clock() AS at) AS c
    LEFT JOIN (SELECT DISTINCT o.account_id FROM sendgate.open_alerts AS o) AS t ON t.account_id = a.id
), page AS (
    SELECT r.id, r.calm FROM ranked AS r
    WHERE $2::text IS NULL OR (r.calm, r.id) > ((SELECT t.calm FROM ranked AS t WHERE t.id = $2), $2)
    ORDER BY r.calm, r.id
    LIMIT $1
)
SELECT k.card FROM page AS p
CROSS JOIN LATERAL (
    -- OFFSET keeps this from being joined with all cards at once.
    SELECT to_jsonb(c) AS card FROM sendgate.account_cards AS c WHERE c.account_id = p.id OFFSET 0
) AS k
ORDER BY p.calm, p.id";

/// How many accounts there are.
const ACCOUNTS: &str = "SELECT count(*) FROM sendgate.linkedin_accounts AS a";

/// Whether there is an account.
const IS_KNOWN: &str = "SELECT EXISTS (SELECT FROM sendgate.linkedin_accounts AS a WHERE a.id = $1)";

/// Heartbeats.
const JOBS: &str = "SELECT to_jsonb(h) FROM sendgate.reconciler_health AS h ORDER BY h.job";

/// Open alerts, newest first.
const ALERTS: &str = "SELECT to_jsonb(o) FROM sendgate.open_alerts AS o ORDER BY o.opened_at DESC LIMIT $1";

/// One account's card.
const CARD: &str = "SELECT to_jsonb(c) FROM sendgate.account_cards AS c WHERE c.account_id = $1";

/// Its counters, by action, beside what was delivered.
const COUNTERS: &str = "SELECT to_jsonb(k) || jsonb_build_object('delivered_today', (
    SELECT count(*) FROM sendgate.linkedin_events AS e
    WHERE e.account_id = $1 AND e.event_type = k.action || '_sent' AND e.counted_on = k.day
      AND e.occurred_at >= k.day::timestamp AT TIME ZONE 'UTC' - interval '1 day'))
FROM sendgate.counters AS k WHERE k.account_id = $1";

/// Its breaker.
const BREAKER: &str = "SELECT to_jsonb(b) FROM sendgate.breakers AS b WHERE b.account_id = $1";

/// What nobody has settled, oldest first.
const UNRESOLVED: &str = "SELECT to_jsonb(o) FROM sendgate.operations_unresolved AS o
WHERE o.account_id = $1 AND (o.state = 'indeterminate' OR o.expired)
ORDER BY o.reserved_at LIMIT $2";

/// Its last corrections, newest first; ids grow with time.
const CORRECTIONS: &str = "SELECT to_jsonb(d) FROM sendgate.counter_drift AS d
WHERE d.account_id = $1 ORDER BY d.id DESC LIMIT $2";

/// What happened to its breaker, newest first.
const HISTORY: &str = "SELECT to_jsonb(l) FROM sendgate.breaker_log AS l
WHERE l.account_id = $1 AND l.action <> 'skip' ORDER BY l.id DESC LIMIT $2";

/// What its campaigns were spared today, by reason.
const SKIPS: &str = "SELECT jsonb_build_object('action', s.action, 'reason', s.reason,
       'skipped', sum(s.skipped), 'repeats', sum(s.repeats), 'last_at', max(s.last_at))
FROM sendgate.skips_today AS s WHERE s.account_id = $1
GROUP BY s.action, s.reason ORDER BY s.action, s.reason";

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
    /// What happened to its breaker.
    pub history: Vec<Value>,
    /// Skips of today, by reason.
    pub skips: Vec<Value>,
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

    /// The first so many cards, or those after an account; and how many accounts there are.
    pub async fn cards(&self, rows_max: i64, after: Option<&str>) -> Result<(Vec<Value>, i64)> {
        let page: [(&(dyn ToSql + Sync), Type); 2] = [(&rows_max, Type::INT8), (&after, Type::TEXT)];
        let cards = self.objects("reading cards", CARDS, &page).await?;
        Ok((cards, self.row("counting accounts", ACCOUNTS, &[]).await?.get(0)))
    }

    /// Whether there is such an account.
    pub async fn is_known(&self, account: &str) -> Result<bool> {
        Ok(self.row("looking for the account", IS_KNOWN, &[(&account, Type::TEXT)]).await?.get(0))
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
            history: self.objects(what, HISTORY, &some).await?,
            skips: self.objects(what, SKIPS, &one).await?,
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
