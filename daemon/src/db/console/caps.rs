//! The daily cap of an action on days that are over, as far as the admin log tells.

use std::collections::HashMap;

use chrono::{Days, NaiveDate, NaiveTime};
use serde::Deserialize;
use serde_json::Value;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::month::DAYS;
use crate::db::{Session, Timestamp};
use crate::error::Result;

/// Lines of the admin log that are looked at, the newest first, of the account and of all accounts each.
const LINES_MAX: i64 = 1_000;

/// What the caps of the account $1 for the action $2 are now, and what operators changed about them since $3, the newest
/// change first, by `admin_log_account_idx`: of the account, and of tiers. $4 is the most lines of each.
const CAPS: &str = "SELECT to_jsonb(x) FROM (
    SELECT a.tier::text AS tier, a.ramp, k.daily_cap,
           (SELECT coalesce(jsonb_object_agg(t.tier, t.daily_cap), '{}') FROM sendgate.tiers AS t WHERE t.action = $2) AS tier_caps,
           o.changes AS own, t.changes AS of_tiers, greatest(o.after, t.after) AS known_after
    FROM sendgate.linkedin_accounts AS a
    JOIN sendgate.counters AS k ON k.account_id = a.id AND k.action = $2
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.at DESC, l.id DESC)
                        FILTER (WHERE l.verb = 'upsert_account' OR l.verb = 'set_cap' AND l.subject = $2), '[]') AS changes,
               CASE WHEN count(*) >= $4 THEN min(l.at) END AS after
        FROM (
            SELECT g.id, g.at, g.verb, g.subject, g.before, g.after FROM sendgate.admin_log AS g
            WHERE g.account_id = $1 AND g.at >= $3 ORDER BY g.at DESC LIMIT $4
        ) AS l
    ) AS o
    CROSS JOIN LATERAL (
        SELECT coalesce(jsonb_agg(to_jsonb(l) ORDER BY l.at DESC, l.id DESC)
                        FILTER (WHERE l.verb IN ('set_tier_cap', 'drop_tier_cap')), '[]') AS changes,
               CASE WHEN count(*) >= $4 THEN min(l.at) END AS after
        FROM (
            SELECT g.id, g.at, g.verb, g.subject, g.before, g.after FROM sendgate.admin_log AS g
            WHERE g.account_id IS NULL AND g.at >= $3 ORDER BY g.at DESC LIMIT $4
        ) AS l
    ) AS t
    WHERE a.id = $1
) AS x";

/// The caps of one action of an account: what they are, and their changes.
#[derive(Clone, Debug, Deserialize)]
pub struct Caps {
    /// The tier that the account is in.
    tier: String,
    /// Whether it ramps up.
    ramp: bool,
    /// The effective cap today, in slots.
    daily_cap: i32,
    /// The cap of each tier, in slots.
    tier_caps: HashMap<String, i32>,
    /// Changes of the account, the newest first.
    own: Vec<Change>,
    /// Changes of tiers, the newest first.
    of_tiers: Vec<Change>,
    /// There are older changes than these, which were not looked at.
    known_after: Option<Timestamp>,
}

/// A line of the admin log.
#[derive(Clone, Debug, Deserialize)]
struct Change {
    at: Timestamp,
    verb: String,
    subject: Option<String>,
    before: Option<Value>,
    after: Option<Value>,
}

impl Caps {
    /// The cap at the end of each of these days, the last one being today; none where it is not known: before the account
    /// was there, while it ramped up, and before the changes that were looked at. The ramp's cap grows with the days on
    /// which the account sends, and no log has it.
    pub fn on(&self, days: &[NaiveDate], action: &str) -> Vec<Option<i32>> {
        let mut then = Then { exists: true, ramp: self.ramp, tier: self.tier.clone(), own: self.own_now() };
        let mut undone = 0;
        let mut caps: Vec<Option<i32>> = Vec::with_capacity(days.len());
        for (past, day) in days.iter().rev().enumerate() {
            let end = end_of(*day);
            while let Some(change) = self.own.get(undone).filter(|change| change.at.seconds() >= end) {
                then.undo(change);
                undone += 1;
            }
            let is_known = self.known_after.is_none_or(|after| after.seconds() < end);
            caps.push(match past {
                0 => Some(self.daily_cap),
                _ if !is_known || !then.exists || then.ramp => None,
                _ => Some(then.own.unwrap_or_else(|| self.of_tier(&then.tier, action, end))),
            });
        }
        caps.reverse();
        caps
    }

    /// The account's own cap now; none if it has that of its tier.
    fn own_now(&self) -> Option<i32> {
        match self.own.iter().find(|change| change.verb == "set_cap") {
            Some(change) => cap_in(change.after.as_ref()),
            None if self.ramp => None,
            None => Some(self.daily_cap).filter(|cap| self.tier_caps.get(&self.tier) != Some(cap)),
        }
    }

    /// The cap of a tier at an instant, in seconds; 0 where the tier has none for the action.
    fn of_tier(&self, tier: &str, action: &str, end: i64) -> i32 {
        let later = self.of_tiers.iter().take_while(|change| change.at.seconds() >= end);
        let subject = format!("{tier}/{action}");
        match later.filter(|change| change.subject.as_deref() == Some(subject.as_str())).last() {
            Some(change) => cap_in(change.before.as_ref()).unwrap_or(0),
            None => self.tier_caps.get(tier).copied().unwrap_or(0),
        }
    }
}

/// The account at the end of a day.
struct Then {
    exists: bool,
    ramp: bool,
    tier: String,
    own: Option<i32>,
}

impl Then {
    /// Goes back behind a change.
    fn undo(&mut self, change: &Change) {
        let before = change.before.as_ref();
        if change.verb == "set_cap" {
            self.own = cap_in(before);
            return;
        }
        self.exists = before.is_some_and(Value::is_object);
        let of = |name| before.and_then(|before| before.get(name));
        self.ramp = of("ramp").and_then(Value::as_bool).unwrap_or(self.ramp);
        if let Some(tier) = of("tier").and_then(Value::as_str) {
            self.tier = tier.to_owned();
        }
    }
}

/// The daily cap that a line of the log has.
fn cap_in(value: Option<&Value>) -> Option<i32> {
    value?.get("daily_cap")?.as_i64().and_then(|cap| i32::try_from(cap).ok())
}

/// The seconds at which the next day begins.
fn end_of(day: NaiveDate) -> i64 {
    (day + Days::new(1)).and_time(NaiveTime::MIN).and_utc().timestamp()
}

impl Session {
    /// The caps of an action since the first of the chart's days, `today` being the last; none if this login may not read the
    /// admin log, or there is no such account.
    pub async fn account_caps(&self, account: &str, today: NaiveDate, action: &str) -> Result<Option<Caps>> {
        let since = Timestamp::from((today - Days::new(DAYS as u64 - 1)).and_time(NaiveTime::MIN).and_utc());
        let parameters = [
            (&account as _, Type::TEXT),
            (&action as _, Type::TEXT),
            (&since as _, Type::TIMESTAMPTZ),
            (&LINES_MAX as _, Type::INT8),
        ];
        match self.objects("reading the account's caps", CAPS, &parameters).await {
            Ok(found) => Ok(found.into_iter().next()),
            Err(error) if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    /// The days from the 1st of November to the 5th, today.
    fn days() -> Vec<NaiveDate> {
        (1..=5).map(|day| NaiveDate::from_ymd_opt(2026, 11, day).expect("a day")).collect()
    }

    fn caps(own: Value, of_tiers: Value, more: Value) -> Vec<Option<i32>> {
        let mut row = json!({
            "tier": "premium", "ramp": false, "daily_cap": 50, "tier_caps": {"premium": 50, "free": 0},
            "own": own, "of_tiers": of_tiers, "known_after": null,
        });
        row.as_object_mut().expect("a row").extend(more.as_object().expect("more").clone());
        from_value::<Caps>(row).expect("caps").on(&days(), "inmail")
    }

    fn change(day: u32, verb: &str, subject: Option<&str>, before: Value, after: Value) -> Value {
        let at = format!("2026-11-{day:02}T12:00:00+00:00");
        json!({"at": at, "verb": verb, "subject": subject, "before": before, "after": after})
    }

    fn own_cap(day: u32, before: Option<i32>, after: Option<i32>) -> Value {
        change(day, "set_cap", Some("inmail"), json!({"daily_cap": before}), json!({"daily_cap": after}))
    }

    #[test]
    fn without_a_change_it_was_always_the_same() {
        assert_eq!(caps(json!([]), json!([]), json!({})), vec![Some(50); 5]);
        assert_eq!(caps(json!([]), json!([]), json!({"daily_cap": 7})), vec![Some(7); 5]);
    }

    #[test]
    fn a_cap_of_the_account_holds_from_its_day_on() {
        let own = json!([own_cap(4, Some(10), Some(50)), own_cap(2, None, Some(10))]);
        let tiers = json!([change(
            2,
            "set_tier_cap",
            Some("premium/inmail"),
            json!({"daily_cap": 30}),
            json!({"daily_cap": 50})
        )]);
        let wanted = [30, 10, 10, 50, 50].map(Some);
        assert_eq!(caps(own, tiers, json!({})), wanted);
    }

    #[test]
    fn a_cap_of_the_tier_holds_for_accounts_without_their_own() {
        let tier = |day, before: i32, after: i32| {
            change(
                day,
                "set_tier_cap",
                Some("premium/inmail"),
                json!({"daily_cap": before}),
                json!({"daily_cap": after}),
            )
        };
        let other = change(3, "set_tier_cap", Some("premium/invite"), json!({"daily_cap": 1}), json!(null));
        let tiers = json!([tier(5, 40, 50), other, tier(3, 30, 40)]);
        assert_eq!(caps(json!([]), tiers.clone(), json!({})), [30, 30, 40, 40, 50].map(Some));
        let own = json!([own_cap(4, Some(9), None)]);
        assert_eq!(caps(own, tiers, json!({})), [9, 9, 9, 40, 50].map(Some));
    }

    #[test]
    fn an_account_that_moved_or_ramped_up_or_is_new() {
        let upsert = |day, before: Value| change(day, "upsert_account", None, before, json!({}));
        let moved = json!([upsert(3, json!({"tier": "free", "ramp": false}))]);
        assert_eq!(caps(moved, json!([]), json!({})), [0, 0, 50, 50, 50].map(Some));
        let ramped = json!([upsert(3, json!({"tier": "premium", "ramp": true}))]);
        assert_eq!(caps(ramped, json!([]), json!({})), [None, None, Some(50), Some(50), Some(50)]);
        let new = json!([upsert(4, json!(null))]);
        assert_eq!(caps(new, json!([]), json!({})), [None, None, None, Some(50), Some(50)]);
        let ramps = caps(json!([]), json!([]), json!({"ramp": true, "daily_cap": 20}));
        assert_eq!(ramps, [None, None, None, None, Some(20)]);
    }

    #[test]
    fn days_before_the_changes_that_were_looked_at_are_not_known() {
        let more = json!({"known_after": "2026-11-03T08:00:00+00:00"});
        assert_eq!(caps(json!([]), json!([]), more), [None, None, Some(50), Some(50), Some(50)]);
    }
}
