//! Everything about one account, for `sendgated account` and for its page of the console. Every
//! statement reads one account's rows, most of them one day's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio_postgres::types::{ToSql, Type};

use super::alerts::Alert;
use super::cooldowns::CooldownChange;
use super::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// The closed list of actions, in the order in which they are shown.
pub const ACTIONS: [&str; 5] = ["inmail", "invite", "message", "profile_view", "engagement"];

/// Its breaker.
const BREAKER: &str = "SELECT to_jsonb(b) FROM sendgate.breakers AS b WHERE b.account_id = $1";

/// Its InMail credits.
const CREDITS: &str = "SELECT to_jsonb(c) FROM sendgate.credits AS c WHERE c.account_id = $1";

/// Its counters in the order of $2, with the deliveries of today.
const COUNTERS: &str = "SELECT to_jsonb(k) || jsonb_build_object('delivered_today', (
    SELECT count(*) FROM sendgate.linkedin_events AS e
    WHERE e.account_id = $1 AND e.event_type = k.action || '_sent' AND e.counted_on = k.day
      AND e.occurred_at >= k.day::timestamp AT TIME ZONE 'UTC' - interval '1 day'))
FROM sendgate.counters AS k WHERE k.account_id = $1
ORDER BY array_position($2, k.action)";

/// The gate's present answer for each action of $2, in that order.
const DECISIONS: &str = "SELECT to_jsonb(p) || jsonb_build_object('action', n.action)
FROM unnest($2) WITH ORDINALITY AS n (action, place)
CROSS JOIN LATERAL sendgate.preview($1, n.action) AS p
ORDER BY n.place";

/// When its breaker was set and cleared, newest first; ids are made in the order of time.
const BREAKER_HISTORY: &str = "SELECT to_jsonb(l) FROM sendgate.breaker_log AS l
WHERE l.account_id = $1 AND l.action <> 'skip' ORDER BY l.id DESC LIMIT $2";

/// When it or one of its actions began to cool down, and when that ended, newest first.
const COOLDOWN_HISTORY: &str = "SELECT to_jsonb(l) FROM sendgate.cooldown_log AS l
WHERE l.account_id = $1 ORDER BY l.id DESC LIMIT $2";

/// Skips of today by action and reason, the most frequent first.
const SKIPS: &str = "SELECT jsonb_build_object('action', s.action, 'reason', s.reason,
       'skipped', sum(s.skipped), 'repeats', sum(s.repeats),
       'deferred_to', max(s.deferred_to), 'last_at', max(s.last_at))
FROM sendgate.skips_today AS s WHERE s.account_id = $1
GROUP BY s.action, s.reason ORDER BY sum(s.skipped) DESC, s.reason, s.action";

/// Expired and indeterminate operations, oldest first; $3 is one of them, or NULL for all.
const UNRESOLVED: &str = "SELECT to_jsonb(o) FROM sendgate.operations_unresolved AS o
WHERE o.account_id = $1 AND (o.state = 'indeterminate' OR o.expired)
  AND ($3 IS NULL OR o.operation_id = $3::uuid)
ORDER BY o.reserved_at LIMIT $2";

/// Its counters' last corrections, newest first; ids are made in the order of time.
const CORRECTIONS: &str = "SELECT to_jsonb(d) FROM sendgate.counter_drift AS d
WHERE d.account_id = $1 ORDER BY d.id DESC LIMIT $2";

/// Columns that only JSON shows.
pub type Others = Map<String, Value>;

/// The rows that explain whether one account can send.
#[derive(Clone, Debug, Serialize)]
pub struct Account {
    /// Its breaker.
    pub breaker: Breaker,
    /// Its InMail credits.
    pub credits: Option<Credits>,
    /// Its counters, in the order of [`ACTIONS`].
    pub counters: Vec<Counter>,
    /// When its breaker was set and cleared, newest first.
    pub breaker_history: Vec<BreakerChange>,
    /// Its cooldowns, newest first.
    pub cooldown_history: Vec<CooldownChange>,
    /// Skips of today, the most frequent first.
    pub skips_today: Vec<Skips>,
    /// Operations of unknown outcome, oldest first.
    pub unresolved: Vec<Unresolved>,
    /// Corrections of its counters, newest first.
    pub corrections: Vec<Correction>,
    /// Its open alerts, newest first.
    pub alerts: Vec<Alert>,
}

/// The breaker of an account, as the view `breakers` has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Breaker {
    /// The operators' setting: `auto`, `open` or `closed`.
    pub mode: String,
    /// `closed`, `open`, `forced_open` or `forced_closed`.
    pub state: String,
    /// The stamp: since when the credits are exhausted.
    pub exhausted_at: Option<Timestamp>,
    /// When the credit period after the stamp begins.
    pub resumes_at: Option<Timestamp>,
    /// Until when the last probe's permit held or holds.
    pub probe_lease_until: Option<Timestamp>,
    /// The operation that took the permit.
    pub probe_operation_id: Option<String>,
    /// The view's other columns.
    #[serde(flatten)]
    pub others: Others,
}

/// The InMail credits of an account, as the view `credits` has them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Credits {
    /// What is left of the balance that was told; none if none is counted.
    pub credits_left: Option<i32>,
    /// InMails of the last seven UTC days; none until the days before are counted.
    pub used_last_7_days: Option<i32>,
    /// Start of the next credit period that grants something.
    pub next_grant_at: Option<Timestamp>,
    /// How many credits that adds.
    pub next_grant: Option<i32>,
    /// How many can pile up.
    pub ceiling: Option<i32>,
    /// When they are used up at this pace; none if not before the next credit period.
    pub lasts_until: Option<Timestamp>,
    /// `untracked`, `ok`, `low` or `exhausted`.
    pub state: String,
    /// The view's other columns.
    #[serde(flatten)]
    pub others: Others,
}

impl Credits {
    /// What is left, until when it lasts and what comes next, in a sentence; none where no balance is counted.
    /// `show` writes an instant.
    pub fn sentence(&self, show: impl Fn(Timestamp) -> String) -> Option<String> {
        let left = self.credits_left?;
        let used = self.used_last_7_days.unwrap_or(0);
        let lasting = match self.lasts_until {
            Some(_) if left == 0 => "no InMail goes out".to_owned(),
            Some(until) => format!("at this pace they last until {}", show(until)),
            None => "they last until the next credit period".to_owned(),
        };
        let next = match (self.next_grant_at, self.next_grant) {
            (Some(at), Some(grant)) => format!("{grant} more at {}", show(at)),
            _ => "no grant is known to come".to_owned(),
        };
        Some(format!("{left} left, {used} went in seven days: {lasting}; {next}"))
    }
}

impl Breaker {
    /// Until when a probe's permit holds; none if there is none, or it was over at `now`.
    pub fn probe_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.probe_lease_until.filter(|until| *until > now)
    }
}

/// One action's counter, as the view `counters` has it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Counter {
    /// The action.
    pub action: String,
    /// Slots taken today (UTC).
    pub sent_today: i32,
    /// The effective cap today, in slots.
    pub daily_cap: i32,
    /// Slots taken in the last seven UTC days, today included; none until the days before are counted.
    pub sent_this_week: Option<i32>,
    /// The weekly cap, in slots; none if there is none.
    pub weekly_cap: Option<i32>,
    /// Deliveries proven today.
    pub delivered_today: i64,
    /// The view's other columns.
    #[serde(flatten)]
    pub others: Others,
}

/// The gate's present answer for one action: a `decision` of `preview`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Decision {
    /// The action that was asked about.
    #[serde(skip_serializing)]
    pub action: String,
    /// Whether it can send now.
    pub proceed: bool,
    /// The first rule that refuses, from the closed list in docs/reference.md.
    pub reason: Option<String>,
    /// When that rule lets go by itself; none if only an event can change the answer.
    pub retry_at: Option<Timestamp>,
    /// Slots that the caps leave today.
    pub remaining: Option<i32>,
    /// The answer's other columns.
    #[serde(flatten)]
    pub others: Others,
}

/// A `set` or `clear` of the breaker, from `breaker_log`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct BreakerChange {
    /// When.
    pub at: Timestamp,
    /// `set` or `clear`.
    pub action: String,
    /// The cause, from a closed list.
    pub reason: String,
    /// The login or operator that caused it.
    pub actor: Untrusted,
    /// The cause in an operator's words.
    pub note: Option<Untrusted>,
    /// The log's other columns.
    #[serde(flatten)]
    pub others: Others,
}

/// Skips of today for one action and reason.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Skips {
    /// The action.
    pub action: String,
    /// The reason.
    pub reason: String,
    /// Pieces of work that were skipped.
    pub skipped: i64,
    /// How often these were asked for again.
    pub repeats: i64,
    /// The latest instant that any of them waits for.
    pub deferred_to: Option<Timestamp>,
    /// When the last of them was skipped.
    pub last_at: Timestamp,
}

/// An operation of unknown outcome, as the view `operations_unresolved` and the journal have it.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Unresolved {
    /// Its UUID.
    pub operation_id: String,
    /// The account that it sends through.
    pub account_id: Untrusted,
    /// The action.
    pub action: String,
    /// The prospect that it is for.
    pub prospect_id: Untrusted,
    /// The campaign that it is for, if one was named.
    pub campaign_id: Option<Untrusted>,
    /// `reserved` (and expired) or `indeterminate`.
    pub state: String,
    /// When its slot was taken.
    pub reserved_at: Timestamp,
    /// The provider's HTTP status.
    pub http_status: Option<i32>,
    /// The provider's type of error.
    pub error_type: Option<Untrusted>,
    /// The provider's words.
    pub error: Option<Untrusted>,
    /// The other columns.
    #[serde(flatten)]
    pub others: Others,
}

/// A correction of a counter, from `counter_drift`. All numbers are slots.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Correction {
    /// When.
    pub at: Timestamp,
    /// The action.
    pub action: String,
    /// `day` or `week`.
    pub period: String,
    /// The UTC day of the counter, or the Monday of its week.
    pub day: String,
    /// The counter before.
    pub before: i32,
    /// The counter after: the sum of the next three.
    pub after: i32,
    /// Operations delivered.
    pub delivered: i32,
    /// Operations in flight or expired.
    pub reserved: i32,
    /// Operations of unknown outcome.
    pub indeterminate: i32,
    /// The table's other columns.
    #[serde(flatten)]
    pub others: Others,
}

impl Session {
    /// The rows that explain whether the account can send, at most `rows_max` of each list; none if there is
    /// no such account. The statements are sent together, so this takes about one round trip.
    pub async fn account(&self, account: &str, rows_max: i64) -> Result<Option<Account>> {
        let one = parameters(&account);
        let some = [(&account as _, Type::TEXT), (&rows_max as _, Type::INT8)];
        let what = "reading the account";
        let (
            breaker,
            credits,
            counters,
            breaker_history,
            cooldown_history,
            skips_today,
            unresolved,
            corrections,
            alerts,
        ) = tokio::try_join!(
            self.account_breaker(account),
            self.objects::<Credits>(what, CREDITS, &one),
            self.account_counters(account),
            self.objects(what, BREAKER_HISTORY, &some),
            self.objects(what, COOLDOWN_HISTORY, &some),
            self.objects(what, SKIPS, &one),
            self.account_unresolved(account, rows_max, None),
            self.objects(what, CORRECTIONS, &some),
            self.account_alerts(account, rows_max, None),
        )?;
        Ok(breaker.map(|breaker| Account {
            breaker,
            credits: credits.into_iter().next(),
            counters,
            breaker_history,
            cooldown_history,
            skips_today,
            unresolved,
            corrections,
            alerts,
        }))
    }

    /// Its breaker; none if there is no such account.
    pub async fn account_breaker(&self, account: &str) -> Result<Option<Breaker>> {
        let found = self.objects("reading the breaker", BREAKER, &parameters(&account)).await?;
        Ok(found.into_iter().next())
    }

    /// Its counters, in the order of [`ACTIONS`].
    pub async fn account_counters(&self, account: &str) -> Result<Vec<Counter>> {
        let actions = ACTIONS.as_slice();
        let parameters = [(&account as _, Type::TEXT), (&actions as _, Type::TEXT_ARRAY)];
        self.objects("reading counters", COUNTERS, &parameters).await
    }

    /// The gate's present answers, in the order of [`ACTIONS`].
    pub async fn account_decisions(&self, account: &str) -> Result<Vec<Decision>> {
        let actions = ACTIONS.as_slice();
        let parameters = [(&account as _, Type::TEXT), (&actions as _, Type::TEXT_ARRAY)];
        self.objects("asking the gate", DECISIONS, &parameters).await
    }

    /// At most `rows_max` operations of unknown outcome, oldest first; or only the one of that id.
    pub async fn account_unresolved(
        &self,
        account: &str,
        rows_max: i64,
        operation: Option<&str>,
    ) -> Result<Vec<Unresolved>> {
        let parameters =
            [(&account as _, Type::TEXT), (&rows_max as _, Type::INT8), (&operation as _, Type::TEXT)];
        self.objects("reading unknown outcomes", UNRESOLVED, &parameters).await
    }
}

/// The account as the only parameter.
fn parameters<'a>(account: &'a &str) -> [(&'a (dyn ToSql + Sync), Type); 1] {
    [(account, Type::TEXT)]
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn json_has_every_column_of_the_view() {
        let row = json!({
            "account_id": "a", "mode": "auto", "state": "open", "pill": "no credits",
            "exhausted_at": "2025-05-20T09:14:03.218744+00:00", "resumes_at": "infinity",
            "probe_lease_until": null, "probe_operation_id": null, "a_later_column": [1.5],
        });
        let breaker: Breaker = from_value(row.clone()).expect("a breaker");
        assert_eq!(to_value(breaker).expect("JSON"), row);
    }

    #[test]
    fn a_permit_that_is_over_is_none() {
        let at = |text: &str| -> Timestamp { from_value(json!(text)).expect(text) };
        let until = "2025-05-20T09:30:00+00:00";
        let row = json!({
            "mode": "auto", "state": "open", "exhausted_at": null, "resumes_at": null,
            "probe_lease_until": until, "probe_operation_id": null,
        });
        let breaker: Breaker = from_value(row).expect("a breaker");
        assert_eq!(breaker.probe_until(at("2025-05-20T09:29:59.999999+00:00")), Some(at(until)));
        assert_eq!(breaker.probe_until(at(until)), None);
    }
}
