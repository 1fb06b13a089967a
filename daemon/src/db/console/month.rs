//! The last 30 days of one action of an account: what became of each day's attempts, and what stopped it meanwhile.

use chrono::NaiveDate;
use tokio_postgres::types::{ToSql, Type};

use crate::db::{Session, Timestamp};
use crate::error::Result;

/// Days in the chart, today included.
pub const DAYS: i32 = 30;
/// Attempts and skips of an account that are looked at for its chart, the newest first. At the shipped caps an account
/// makes fewer than 20,000 attempts in 30 days.
pub const COUNTED_MAX: i64 = 50_000;
/// Lines of the breaker's and of the cooldowns' log that are looked at, the newest first.
const LINES_MAX: i64 = 1_000;

/// A row for each of the days until $2, of the account $1 and the action $3. Attempts are those of the journal by
/// `send_operations_day_idx`; skips are those of `campaign_events`, whose ids are made in the order of time. At most $4 of
/// each are looked at; a day before the oldest of them is known only in part.
const MONTH: &str = "WITH attempts AS MATERIALIZED (
    SELECT o.counted_on, o.action, o.state, o.outcome
    FROM sendgate.send_operations AS o
    WHERE o.account_id = $1 AND o.counted_on BETWEEN $2 - ($5 - 1) AND $2
    ORDER BY o.counted_on DESC LIMIT $4
), skips AS MATERIALIZED (
    SELECT (e.at AT TIME ZONE 'UTC')::date AS day, e.action
    FROM sendgate.campaign_events AS e
    WHERE e.account_id = $1
    ORDER BY e.id DESC LIMIT $4
), counted AS (
    SELECT a.counted_on AS day, a.state = 'delivered' AS delivered,
           a.state = 'released' AND a.outcome <> 'released' AS failed,
           a.state IN ('reserved', 'indeterminate') AS open, false AS skipped
    FROM attempts AS a WHERE a.action = $3
    UNION ALL
    SELECT s.day, false, false, false, true FROM skips AS s WHERE s.action = $3
), known AS (
    SELECT greatest(
        (SELECT max(l.day) FROM (SELECT min(a.counted_on) AS day FROM attempts AS a HAVING count(*) >= $4) AS l),
        (SELECT max(l.day) FROM (SELECT min(s.day) AS day FROM skips AS s HAVING count(*) >= $4) AS l)
    ) AS after
)
SELECT d.day, count(*) FILTER (WHERE c.delivered)::integer, count(*) FILTER (WHERE c.failed)::integer,
       count(*) FILTER (WHERE c.open)::integer, count(*) FILTER (WHERE c.skipped)::integer,
       coalesce(d.day > k.after, true)
FROM (SELECT $2 - n AS day FROM generate_series(0, $5 - 1) AS n) AS d
CROSS JOIN known AS k
LEFT JOIN counted AS c ON c.day = d.day
GROUP BY d.day, k.after ORDER BY d.day";

/// When credits or a cooldown stopped the action $3 of the account $1 on those days, as far as the newest $4 lines of each
/// log tell: each stop lasts until its own end, or until the next line about the same.
const STOPS: &str = "WITH cooled AS (
    SELECT l.at AS since, l.until, lead(l.at) OVER (PARTITION BY l.action ORDER BY l.id) AS next
    FROM (
        SELECT c.id, c.at, c.until, c.action FROM sendgate.cooldown_log AS c
        WHERE c.account_id = $1 ORDER BY c.id DESC LIMIT $4
    ) AS l
    WHERE l.action IS NULL OR l.action = $3
), stamped AS (
    SELECT l.at AS since, l.action, lead(l.at) OVER (ORDER BY l.id) AS next,
           sendgate.next_credit_period(a.credit_reset_day, l.at) AS until
    FROM (
        SELECT b.id, b.at, b.action FROM sendgate.breaker_log AS b
        WHERE b.account_id = $1 AND b.action <> 'skip' AND $3 = 'inmail' ORDER BY b.id DESC LIMIT $4
    ) AS l
    CROSS JOIN (SELECT v.credit_reset_day FROM sendgate.linkedin_accounts AS v WHERE v.id = $1) AS a
)
SELECT s.by_credits, s.since, s.until
FROM (
    SELECT false AS by_credits, c.since, least(c.until, c.next) AS until FROM cooled AS c WHERE c.until IS NOT NULL
    UNION ALL
    SELECT true, s.since, least(s.until, s.next) FROM stamped AS s WHERE s.action = 'set'
) AS s
WHERE s.until > s.since AND s.until > ($2 - ($5 - 1))::timestamp AT TIME ZONE 'UTC'
ORDER BY s.since";

/// One day's attempts and skips.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Day {
    /// The UTC day.
    pub day: NaiveDate,
    /// Attempts that are proven.
    pub delivered: i32,
    /// Attempts that the provider refused, or that failed.
    pub failed: i32,
    /// Attempts without an answer until now: in flight, expired or of unknown outcome.
    pub open: i32,
    /// Pieces of work that were skipped because of a rule.
    pub skipped: i32,
    /// Whether all of the day was counted.
    pub is_known: bool,
    /// The cap at its end, in slots; none if it is not known.
    pub cap: Option<i32>,
}

/// What stopped an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Its credits were exhausted, or an operator stopped its InMails.
    Breaker,
    /// A cooldown, of the action or of the whole account.
    Cooldown,
}

/// When something stopped an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// What it was.
    pub cause: Cause,
    /// Since when.
    pub since: Timestamp,
    /// Until when, which may be in the future.
    pub until: Timestamp,
}

/// The last [`DAYS`] days of an action.
#[derive(Clone, Debug)]
pub struct Month {
    /// Each day, the oldest first.
    pub days: Vec<Day>,
    /// What stopped it, in the order of their beginnings.
    pub stops: Vec<Stop>,
}

impl Session {
    /// The last [`DAYS`] days of an action, `today` included. Three statements in one round trip, bounded by [`COUNTED_MAX`]
    /// attempts and skips.
    pub async fn account_month(&self, account: &str, today: NaiveDate, action: &str) -> Result<Month> {
        let bounded = |rows_max| -> [(&(dyn ToSql + Sync), Type); 5] {
            [
                (&account, Type::TEXT),
                (&today, Type::DATE),
                (&action, Type::TEXT),
                (rows_max, Type::INT8),
                (&DAYS, Type::INT4),
            ]
        };
        let (days, stops) = (bounded(&COUNTED_MAX), bounded(&LINES_MAX));
        let (days, stops, caps) = tokio::try_join!(
            self.rows("reading the account's month", MONTH, &days),
            self.rows("reading what stopped the account", STOPS, &stops),
            self.account_caps(account, today, action),
        )?;
        let day = |row: &tokio_postgres::Row| Day {
            day: row.get(0),
            delivered: row.get(1),
            failed: row.get(2),
            open: row.get(3),
            skipped: row.get(4),
            is_known: row.get(5),
            cap: None,
        };
        let stop = |row: &tokio_postgres::Row| Stop {
            cause: if row.get(0) { Cause::Breaker } else { Cause::Cooldown },
            since: row.get(1),
            until: row.get(2),
        };
        let mut days: Vec<Day> = days.iter().map(day).collect();
        if let Some(caps) = caps {
            let dates: Vec<NaiveDate> = days.iter().map(|day| day.day).collect();
            for (day, cap) in days.iter_mut().zip(caps.on(&dates, action)) {
                day.cap = cap;
            }
        }
        Ok(Month { days, stops: stops.iter().map(stop).collect() })
    }
}
