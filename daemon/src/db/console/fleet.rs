//! All accounts together: how many have which trouble, and the first of each, worst first.
//!
//! One statement reads each account once. It is the only one of the console that does, and pages share its answer
//! while it is fresh.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio_postgres::types::Type;

use super::accounts::{Flag, Walked};
use crate::db::Session;
use crate::db::parts::{id_holds, name_holds};
use crate::error::Result;

/// Ids that are remembered of each trouble, and of all together in their order.
pub const IDS_MAX: i64 = 1_000;
/// An answer that came faster is asked for anew each time.
const QUICK: Duration = Duration::from_millis(50);
/// An answer is used for so many times as long as it took: counting takes at most a twentieth of the connection's time.
const SHARE: u32 = 20;
/// An answer is used for no longer.
const FRESH_WITHIN: Duration = Duration::from_secs(60);

/// What is asked of each account `a`. The common tables before it find the accounts that cool down, have used up a cap,
/// or have an unknown outcome or an open alert; a statement that asks for none of these does not read them.
macro_rules! flags {
    ($of:literal) => {
        concat!(
            "now AS MATERIALIZED (SELECT sendgate.clock() AS at),
cooling AS (
    SELECT w.account_id::text AS id, bool_or(w.cause IS DISTINCT FROM 'failing') AS cools, bool_or(w.cause = 'failing') AS fails
    FROM sendgate.cooldowns AS w WHERE ", $of, " GROUP BY 1
),
capped AS (
    SELECT DISTINCT w.account_id::text AS id FROM sendgate.counters AS w
    WHERE ", $of, " AND (w.sent_today > 0 OR w.sent_this_week > 0) AND w.daily_cap > 0
      AND (w.sent_today >= w.daily_cap OR w.weekly_cap > 0 AND w.sent_this_week >= w.weekly_cap)
),
unknown AS (
    SELECT DISTINCT w.account_id::text AS id FROM (
        SELECT w.account_id FROM sendgate.send_operations AS w
        WHERE w.unknown_since IS NOT NULL ORDER BY w.unknown_since DESC LIMIT 100000
    ) AS w
),
alerted AS (
    SELECT DISTINCT w.account_id::text AS id FROM (
        SELECT w.account_id FROM sendgate.open_alerts AS w ORDER BY w.opened_at DESC, w.alert_id DESC LIMIT 100000
    ) AS w
)"
        )
    };
}

/// The flags of an account `a`, by the names of [`Flag`].
macro_rules! flag {
    ("cannot-send") => { "(a.status <> 'connected' OR coalesce(a.cooldown_until > (SELECT n.at FROM now AS n), false))" };
    ("stopped") => {
        "(CASE WHEN a.inmail_credits_exhausted_at IS NULL AND a.breaker_mode = 'auto' THEN false
           ELSE sendgate.breaker_state(a.breaker_mode, a.inmail_credits_exhausted_at, a.credit_reset_day, (SELECT n.at FROM now AS n))
                IN ('open', 'forced_open') END)"
    };
    ("exhausted") => {
        "(CASE WHEN a.inmail_credits_exhausted_at IS NULL THEN false
           ELSE sendgate.breaker_state(a.breaker_mode, a.inmail_credits_exhausted_at, a.credit_reset_day, (SELECT n.at FROM now AS n)) = 'open' END)"
    };
    ("cooling") => { "(a.id IN (SELECT w.id FROM cooling AS w WHERE w.cools))" };
    ("failing") => { "(a.id IN (SELECT w.id FROM cooling AS w WHERE w.fails))" };
    ("cap-reached") => { "(a.id IN (SELECT w.id FROM capped AS w))" };
    ("outside-window") => { "coalesce(a.outside_window, false)" };
    ("not-connected") => { "(a.status <> 'connected')" };
    ("unknown") => { "(a.id IN (SELECT w.id FROM unknown AS w))" };
    ("alerted") => { "(a.id IN (SELECT w.id FROM alerted AS w))" };
}

/// How many have a flag, and the first $1 of them by id.
macro_rules! counted {
    ($name:literal) => {
        concat!(
            "jsonb_build_object('name', '",
            $name,
            "', 'count', count(*) FILTER (WHERE f.\"",
            $name,
            "\"),
            'ids', (array_agg(f.id ORDER BY f.id COLLATE \"C\") FILTER (WHERE f.\"",
            $name,
            "\"))[1:$1])"
        )
    };
}

/// $1 is how many ids are remembered.
const FLEET: &str = concat!(
    "WITH ", flags!("true"), ", fleet AS MATERIALIZED (
    SELECT a.id::text AS id, a.tier::text AS tier, a.inmails_sent_today, a.invites_sent_today, a.messages_sent_today,
           a.profile_views_sent_today, a.engagements_sent_today,
           ", flag!("cannot-send"), " AS \"cannot-send\",
           ", flag!("stopped"), " AS \"stopped\",
           ", flag!("exhausted"), " AS \"exhausted\",
           ", flag!("cooling"), " AS \"cooling\",
           ", flag!("failing"), " AS \"failing\",
           ", flag!("cap-reached"), " AS \"cap-reached\",
           ", flag!("outside-window"), " AS \"outside-window\",
           ", flag!("not-connected"), " AS \"not-connected\",
           ", flag!("unknown"), " AS \"unknown\",
           ", flag!("alerted"), " AS \"alerted\"
    FROM sendgate.linkedin_accounts AS a
), ranked AS (
    SELECT f.id, CASE WHEN f.\"cannot-send\" THEN 1 WHEN f.\"stopped\" THEN 2 WHEN f.\"failing\" OR f.\"cooling\" THEN 3
                      WHEN f.\"unknown\" THEN 4 WHEN f.\"alerted\" THEN 5 END AS rank
    FROM fleet AS f
)
SELECT jsonb_build_object(
    'accounts', count(*),
    'sent', jsonb_build_array(coalesce(sum(f.inmails_sent_today), 0), coalesce(sum(f.invites_sent_today), 0),
        coalesce(sum(f.messages_sent_today), 0), coalesce(sum(f.profile_views_sent_today), 0), coalesce(sum(f.engagements_sent_today), 0)),
    'tiers', (SELECT coalesce(jsonb_agg(jsonb_build_array(t.tier, t.counted) ORDER BY t.tier), '[]')
              FROM (SELECT f.tier, count(*) AS counted FROM fleet AS f GROUP BY 1) AS t),
    'worst', (SELECT coalesce(jsonb_agg(jsonb_build_array(w.rank, w.id) ORDER BY w.rank, w.id COLLATE \"C\"), '[]')
              FROM (SELECT r.rank, r.id FROM ranked AS r WHERE r.rank IS NOT NULL ORDER BY r.rank, r.id COLLATE \"C\" LIMIT $1) AS w),
    'ranks', (SELECT coalesce(jsonb_agg(jsonb_build_array(w.rank, w.counted) ORDER BY w.rank), '[]')
              FROM (SELECT r.rank, count(*) AS counted FROM ranked AS r WHERE r.rank IS NOT NULL GROUP BY 1) AS w),
    'flags', jsonb_build_array(",
    counted!("cannot-send"), ", ", counted!("exhausted"), ", ", counted!("cooling"), ", ", counted!("failing"), ", ",
    counted!("cap-reached"), ", ", counted!("outside-window"), ", ", counted!("not-connected"), ", ", counted!("unknown"),
    "))
FROM fleet AS f"
);

/// $1 is the first id, $2 how many rows to look at, $3 how many to show; $4 is a flag's name or empty, $5 a tier or empty, $6 a
/// part of ids and names or empty. The answer: how many were looked at, the last of them, and the ids that
/// belong, in order. The flag is known when the statement is planned, so only what it needs is read.
const WALK: &str = concat!(
    "WITH looked AS MATERIALIZED (
    SELECT a.id::text AS id, a.tier, a.display_name, a.status, a.cooldown_until, a.inmail_credits_exhausted_at,
           a.breaker_mode, a.credit_reset_day,
           CASE WHEN $4 = 'outside-window' THEN a.outside_window END AS outside_window
    FROM sendgate.linkedin_accounts AS a WHERE a.id >= $1 ORDER BY a.id LIMIT $2
), ", flags!("w.account_id = ANY (ARRAY(SELECT l.id FROM looked AS l))"), "
SELECT (SELECT count(*) FROM looked), (SELECT max(l.id COLLATE \"C\") FROM looked AS l), ARRAY(
    SELECT a.id FROM looked AS a
    WHERE ($5 = '' OR a.tier = $5)
      AND ($6 = '' OR ", id_holds!("a.id", "$6"), " OR ", name_holds!("a.display_name", "$6"), ")
      AND CASE $4 WHEN '' THEN true
            WHEN 'cannot-send' THEN ", flag!("cannot-send"), "
            WHEN 'exhausted' THEN ", flag!("exhausted"), "
            WHEN 'cooling' THEN ", flag!("cooling"), "
            WHEN 'failing' THEN ", flag!("failing"), "
            WHEN 'cap-reached' THEN ", flag!("cap-reached"), "
            WHEN 'outside-window' THEN ", flag!("outside-window"), "
            WHEN 'not-connected' THEN ", flag!("not-connected"), "
            WHEN 'unknown' THEN ", flag!("unknown"), "
          END
    ORDER BY a.id COLLATE \"C\" LIMIT $3)"
);

/// How many accounts have a trouble, and the first of them.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Counted {
    /// The flag's name.
    pub name: String,
    /// How many accounts have it.
    pub count: i64,
    /// The first [`IDS_MAX`] of them, by id.
    #[serde(default)]
    pub ids: Option<Vec<String>>,
}

/// All accounts together.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Totals {
    /// How many there are.
    pub accounts: i64,
    /// Slots taken today, in the order of the actions.
    pub sent: [i64; 5],
    /// How many accounts each tier has.
    pub tiers: Vec<(String, i64)>,
    /// The first [`IDS_MAX`] accounts with a trouble, worst first, each with its rank from 1 to 5.
    pub worst: Vec<(i32, String)>,
    /// How many accounts have each rank.
    pub ranks: Vec<(i32, i64)>,
    /// Troubles, by flag.
    pub flags: Vec<Counted>,
}

impl Totals {
    /// Adds the counts of another database.
    fn add(&mut self, other: &Totals) {
        self.accounts += other.accounts;
        for (sum, sent) in self.sent.iter_mut().zip(other.sent) {
            *sum += sent;
        }
        for (tier, count) in &other.tiers {
            match self.tiers.iter_mut().find(|(known, _)| known == tier) {
                Some((_, sum)) => *sum += count,
                None => self.tiers.push((tier.clone(), *count)),
            }
        }
        self.tiers.sort();
        for (rank, count) in &other.ranks {
            match self.ranks.iter_mut().find(|(known, _)| known == rank) {
                Some((_, sum)) => *sum += count,
                None => self.ranks.push((*rank, *count)),
            }
        }
        for counted in &other.flags {
            if let Some(sum) = self.flags.iter_mut().find(|known| known.name == counted.name) {
                sum.count += counted.count;
            }
        }
    }
}

/// The answer, and how long it may be used.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The totals.
    pub totals: Totals,
    /// Accounts whose counter differs from the journal, among the first that were active today; and whether those were all.
    pub drifting: (i64, bool),
    counted_at: Instant,
    took: Duration,
}

impl Fleet {
    /// The accounts of several databases together: the counts, and not the first ids of each.
    pub fn together(fleets: &[Arc<Fleet>]) -> Option<Fleet> {
        let (first, rest) = fleets.split_first()?;
        let mut all = Fleet::clone(first);
        for fleet in rest {
            all.totals.add(&fleet.totals);
            all.drifting = (all.drifting.0 + fleet.drifting.0, all.drifting.1 && fleet.drifting.1);
            all.counted_at = all.counted_at.min(fleet.counted_at);
        }
        Some(all)
    }

    /// Whether it may still be used.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.took > QUICK && now.duration_since(self.counted_at) < (self.took * SHARE).min(FRESH_WITHIN)
    }

    /// How old it is, in seconds.
    pub fn age_seconds(&self, now: Instant) -> u64 {
        now.duration_since(self.counted_at).as_secs()
    }

    /// How many accounts have a flag, and the first of them.
    pub fn counted(&self, flag: Flag) -> Option<&Counted> {
        self.totals.flags.iter().find(|counted| counted.name == flag.name())
    }

    /// How many accounts have this rank.
    pub fn ranked(&self, rank: i32) -> i64 {
        self.totals.ranks.iter().find(|(of, _)| *of == rank).map_or(0, |(_, count)| *count)
    }
}

impl Session {
    /// Counts all accounts.
    pub async fn fleet(&self) -> Result<Fleet> {
        let counted_at = Instant::now();
        let what = "counting accounts";
        let found = self.objects::<Totals>(what, FLEET, &[(&IDS_MAX, Type::INT8)]).await?;
        let totals = found.into_iter().next().unwrap_or_default();
        let today = self.now().await?.day();
        let drifting = self.walk_drifting(today, ("", ""), "", i64::MAX).await?;
        let drifting = (drifting.ids.len() as i64, drifting.whole);
        Ok(Fleet { totals, drifting, counted_at, took: counted_at.elapsed() })
    }

    /// The first `rows_max` accounts from an id on with a flag, of a tier and with a text in id or name; each may be
    /// missing. Looks at `looks_at` accounts.
    pub async fn walk_accounts(
        &self,
        flag: Flag,
        (tier, text): (&str, &str),
        from: &str,
        looks_at: i64,
        rows_max: i64,
    ) -> Result<Walked> {
        let name = flag.name();
        let parameters = [
            (&from as _, Type::TEXT),
            (&looks_at as _, Type::INT8),
            (&rows_max as _, Type::INT8),
            (&name as _, Type::TEXT),
            (&tier as _, Type::TEXT),
            (&text as _, Type::TEXT),
        ];
        let row = self.row("listing accounts", WALK, &parameters).await?;
        let looked_at: i64 = row.get(0);
        Ok(Walked { looked_at, last: row.get(1), ids: row.get(2), whole: looked_at < looks_at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fleets_add_up() {
        let fleet = |tier: &str, count: i64, is_all: bool| {
            let flags = vec![Counted { name: "unknown".to_owned(), count, ids: None }];
            let (tiers, ranks) = (vec![(tier.to_owned(), count)], vec![(1, count)]);
            let totals = Totals { accounts: count, sent: [count; 5], tiers, ranks, flags, worst: Vec::new() };
            let counted_at = Instant::now();
            Arc::new(Fleet { totals, drifting: (count, is_all), counted_at, took: Duration::ZERO })
        };
        let all = Fleet::together(&[fleet("b", 1, true), fleet("a", 2, false), fleet("b", 4, true)])
            .expect("three");
        assert_eq!((all.totals.accounts, all.totals.sent, all.drifting), (7, [7; 5], (7, false)));
        assert_eq!(all.totals.tiers, [("a".to_owned(), 2), ("b".to_owned(), 5)]);
        assert_eq!((all.ranked(1), all.counted(Flag::Unknown).map(|counted| counted.count)), (7, Some(7)));
        assert!(Fleet::together(&[]).is_none());
    }

    #[test]
    fn an_answer_that_took_long_is_used_for_a_while() {
        let now = Instant::now();
        let fleet = |took: u64| Fleet {
            totals: Totals::default(),
            drifting: (0, true),
            counted_at: now,
            took: Duration::from_millis(took),
        };
        let after = |seconds: u64| now + Duration::from_secs(seconds);
        assert!(!fleet(10).is_fresh(now), "a small fleet is counted each time");
        assert!(fleet(200).is_fresh(after(3)) && !fleet(200).is_fresh(after(4)));
        assert!(fleet(7_000).is_fresh(after(59)) && !fleet(7_000).is_fresh(after(60)));
    }
}
