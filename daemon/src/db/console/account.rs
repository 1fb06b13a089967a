//! One account's page. Every statement reads one account's rows, most of them one day's.

use tokio_postgres::types::{ToSql, Type};

use crate::db::{Session, Untrusted};
use crate::error::Result;

/// What the gate would answer now for each action, beside what is used.
const ANSWERS: &str = "SELECT k.action, k.sent_today, k.daily_cap, k.sent_this_week, k.weekly_cap,
       p.proceed, p.reason, to_char(p.retry_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), p.remaining
FROM sendgate.counters AS k
CROSS JOIN LATERAL sendgate.preview($1, k.action) AS p
WHERE k.account_id = $1
ORDER BY array_position(ARRAY['inmail', 'invite', 'message', 'profile_view', 'engagement'], k.action)";

/// Its breaker, window and zone.
const STATE: &str = "SELECT b.mode::text, b.state,
       to_char(b.exhausted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       to_char(b.resumes_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       to_char(CASE WHEN b.probe_lease_until > (SELECT sendgate.clock()) THEN b.probe_lease_until END
               AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       b.probe_operation_id IS NOT NULL,
       a.time_zone::text, to_char(a.window_start, 'HH24:MI'), to_char(a.window_end, 'HH24:MI'),
       a.window_days
FROM sendgate.breakers AS b
JOIN sendgate.linkedin_accounts AS a ON a.id = b.account_id
WHERE b.account_id = $1";

/// Slots taken and sends proven in each quarter of an hour of the day $2. What counts on a day but
/// happened beside it (a send told of later, a clock that ran ahead) is put at the day's edge.
const QUARTERS: &str = "SELECT q.quarter, sum(q.taken)::integer, sum(q.proven)::integer
FROM (
    SELECT o.reserved_at AS at, 1 AS taken, 0 AS proven
    FROM sendgate.send_operations AS o
    WHERE o.account_id = $1 AND o.counted_on = $2::text::date AND o.action = $3 AND o.state <> 'released'
    UNION ALL
    SELECT e.occurred_at, 0, 1
    FROM sendgate.linkedin_events AS e
    WHERE e.account_id = $1 AND e.counted_on = $2::text::date AND e.event_type = $3 || '_sent'
      AND e.occurred_at >= $2::text::date - 2
) AS x
CROSS JOIN LATERAL (
    SELECT least(greatest(floor(extract(epoch FROM x.at - $2::text::timestamptz) / 900), 0), 95)::integer
               AS quarter, x.taken, x.proven
) AS q
GROUP BY q.quarter ORDER BY q.quarter";

/// When its breaker was set and cleared, newest first; ids are made in the order of time.
const BREAKER_LOG: &str =
    "SELECT to_char(l.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), l.action, l.reason,
       l.actor, l.note
FROM sendgate.breaker_log AS l
WHERE l.account_id = $1 AND l.action <> 'skip' ORDER BY l.id DESC LIMIT $2";

/// What was skipped today, by reason.
const SKIPS: &str = "SELECT s.action::text, s.reason, sum(s.skipped)::bigint, sum(s.repeats)::bigint,
       to_char(max(s.deferred_to) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
       to_char(max(s.last_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
FROM sendgate.skips_today AS s WHERE s.account_id = $1
GROUP BY 1, 2 ORDER BY 3 DESC, 2";

/// What nobody has settled, oldest first; $3 is one of them, or NULL for all.
const UNRESOLVED: &str = "SELECT o.operation_id::text, o.action::text, o.prospect_id, o.campaign_id,
       o.state::text, to_char(o.reserved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), o.http_status,
       o.error_type, o.error
FROM sendgate.operations_unresolved AS o
WHERE o.account_id = $1 AND (o.state = 'indeterminate' OR o.expired)
  AND ($3 IS NULL OR o.operation_id = $3::uuid)
ORDER BY o.reserved_at LIMIT $2";

/// Its counters' last corrections, newest first.
const CORRECTIONS: &str = "SELECT to_char(d.at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), d.action::text,
       d.period, d.before, d.after, d.delivered, d.reserved, d.indeterminate
FROM sendgate.counter_drift AS d
WHERE d.account_id = $1 ORDER BY d.id DESC LIMIT $2";

/// Its campaign work; counted up to a bound.
const WORK: &str = "SELECT count(*) FILTER (WHERE w.state = 'waiting'),
       count(*) FILTER (WHERE w.state = 'waiting' AND w.reason = 'account_inmail_credits_exhausted'),
       count(*) FILTER (WHERE w.state = 'parked')
FROM (
    SELECT e.state, e.reason FROM sendgate.enrollments AS e
    WHERE e.account_id = $1 AND e.state IN ('waiting', 'parked') LIMIT $2
) AS w";

/// Campaign work is counted up to here.
pub const WORK_COUNTED_MAX: i64 = 10_000;

/// One action of the account: what is used, and what the gate says.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The action.
    pub action: String,
    /// Slots taken today.
    pub sent: i32,
    /// Slots that there are today.
    pub cap: i32,
    /// Slots taken this week.
    pub week: i32,
    /// Slots that there are this week; none: no weekly cap.
    pub week_cap: Option<i32>,
    /// Whether it can send now.
    pub proceed: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Until when not, if the rule lets go by itself.
    pub retry_at: Option<String>,
    /// What both caps leave.
    pub remaining: Option<i32>,
}

/// Its breaker, window and zone.
#[derive(Clone, Debug)]
pub struct State {
    /// `auto`, `open` or `closed`.
    pub mode: String,
    /// `closed`, `open`, `forced_open` or `forced_closed`.
    pub breaker: String,
    /// Since when credits are exhausted.
    pub exhausted_at: Option<String>,
    /// When they are renewed.
    pub resumes_at: Option<String>,
    /// Until when a probe's permit is out.
    pub probe_until: Option<String>,
    /// Whether an InMail took that permit.
    pub probe_taken: bool,
    /// Its time zone.
    pub zone: Untrusted,
    /// Start and end of its sending window, local.
    pub window: Option<(String, String)>,
    /// The window's ISO days.
    pub days: Option<Vec<i32>>,
}

/// A quarter of an hour in which something happened.
#[derive(Clone, Copy, Debug)]
pub struct Quarter {
    /// Which of the day, from 0.
    pub number: i32,
    /// Slots taken and not given back.
    pub taken: i32,
    /// Sends proven.
    pub proven: i32,
}

/// A `set` or `clear` of the breaker.
#[derive(Clone, Debug)]
pub struct BreakerLine {
    /// When.
    pub at: String,
    /// `set` or `clear`.
    pub action: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub actor: Untrusted,
    /// Why, in a person's words.
    pub note: Option<Untrusted>,
}

/// Skips of today, for one action and reason.
#[derive(Clone, Debug)]
pub struct Skips {
    /// The action.
    pub action: String,
    /// The reason.
    pub reason: String,
    /// How many pieces of work.
    pub skipped: i64,
    /// How often they were asked for again.
    pub repeats: i64,
    /// Until when they wait.
    pub deferred_to: Option<String>,
    /// When it last happened.
    pub last_at: String,
}

/// An operation whose outcome nobody knows.
#[derive(Clone, Debug)]
pub struct Unresolved {
    /// Its id.
    pub id: String,
    /// What was to be sent.
    pub action: String,
    /// To whom.
    pub prospect: Untrusted,
    /// For which campaign.
    pub campaign: Option<Untrusted>,
    /// `reserved` (and expired) or `indeterminate`.
    pub state: String,
    /// Since when.
    pub reserved_at: String,
    /// The provider's status.
    pub http_status: Option<i32>,
    /// The provider's type of error.
    pub error_type: Option<Untrusted>,
    /// The provider's words.
    pub error: Option<Untrusted>,
}

/// A correction of a counter.
#[derive(Clone, Debug)]
pub struct Correction {
    /// When.
    pub at: String,
    /// The action.
    pub action: String,
    /// `day` or `week`.
    pub period: String,
    /// What the counter said.
    pub before: i32,
    /// What it says since.
    pub after: i32,
    /// Of that, delivered.
    pub delivered: i32,
    /// Of that, in a worker's hand.
    pub reserved: i32,
    /// Of that, unknown.
    pub indeterminate: i32,
}

/// Campaign work of an account.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// What waits, in all.
    pub waiting: i64,
    /// Of that, for credits.
    pub deferred: i64,
    /// What wants a person.
    pub parked: i64,
}

/// An unknown outcome from a row that begins as [`UNRESOLVED`] has it.
pub(super) fn unresolved(row: &tokio_postgres::Row) -> Unresolved {
    Unresolved {
        id: row.get(0),
        action: row.get(1),
        prospect: row.get(2),
        campaign: row.get(3),
        state: row.get(4),
        reserved_at: row.get(5),
        http_status: row.get(6),
        error_type: row.get(7),
        error: row.get(8),
    }
}

impl Session {
    /// What the gate would answer now for each action.
    pub async fn account_answers(&self, account: &str) -> Result<Vec<Answer>> {
        let rows = self.rows("asking the gate", ANSWERS, &[(&account, Type::TEXT)]).await?;
        let answer = |row: &tokio_postgres::Row| Answer {
            action: row.get(0),
            sent: row.get(1),
            cap: row.get(2),
            week: row.get(3),
            week_cap: row.get(4),
            proceed: row.get(5),
            reason: row.get(6),
            retry_at: row.get(7),
            remaining: row.get(8),
        };
        Ok(rows.iter().map(answer).collect())
    }

    /// Its breaker, window and zone; none if there is no such account.
    pub async fn account_state(&self, account: &str) -> Result<Option<State>> {
        let rows = self.rows("reading the account", STATE, &[(&account, Type::TEXT)]).await?;
        Ok(rows.first().map(|row| State {
            mode: row.get(0),
            breaker: row.get(1),
            exhausted_at: row.get(2),
            resumes_at: row.get(3),
            probe_until: row.get(4),
            probe_taken: row.get(5),
            zone: row.get(6),
            window: row.get::<_, Option<String>>(7).zip(row.get(8)),
            days: row.get(9),
        }))
    }

    /// What happened of one action on a day, by quarters of an hour.
    pub async fn account_quarters(&self, account: &str, day: &str, action: &str) -> Result<Vec<Quarter>> {
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&account, Type::TEXT), (&day, Type::TEXT), (&action, Type::TEXT)];
        let rows = self.rows("reading the account's day", QUARTERS, &parameters).await?;
        let quarter =
            |row: &tokio_postgres::Row| Quarter { number: row.get(0), taken: row.get(1), proven: row.get(2) };
        Ok(rows.iter().map(quarter).collect())
    }

    /// When its breaker was set and cleared, newest first.
    pub async fn account_breaker_log(&self, account: &str, rows_max: i64) -> Result<Vec<BreakerLine>> {
        let line = |row: &tokio_postgres::Row| BreakerLine {
            at: row.get(0),
            action: row.get(1),
            reason: row.get(2),
            actor: row.get(3),
            note: row.get(4),
        };
        Ok(self
            .of_account("reading breakers", BREAKER_LOG, account, rows_max)
            .await?
            .iter()
            .map(line)
            .collect())
    }

    /// What was skipped today, by reason.
    pub async fn account_skips(&self, account: &str) -> Result<Vec<Skips>> {
        let rows = self.rows("reading skips", SKIPS, &[(&account, Type::TEXT)]).await?;
        let skips = |row: &tokio_postgres::Row| Skips {
            action: row.get(0),
            reason: row.get(1),
            skipped: row.get(2),
            repeats: row.get(3),
            deferred_to: row.get(4),
            last_at: row.get(5),
        };
        Ok(rows.iter().map(skips).collect())
    }

    /// What nobody has settled, oldest first; or only the one operation of that id.
    pub async fn account_unresolved(
        &self,
        account: &str,
        rows_max: i64,
        operation: Option<&str>,
    ) -> Result<Vec<Unresolved>> {
        let parameters: [(&(dyn ToSql + Sync), Type); 3] =
            [(&account, Type::TEXT), (&rows_max, Type::INT8), (&operation, Type::TEXT)];
        let rows = self.rows("reading unknown outcomes", UNRESOLVED, &parameters).await?;
        Ok(rows.iter().map(unresolved).collect())
    }

    /// Its counters' last corrections, newest first.
    pub async fn account_corrections(&self, account: &str, rows_max: i64) -> Result<Vec<Correction>> {
        let correction = |row: &tokio_postgres::Row| Correction {
            at: row.get(0),
            action: row.get(1),
            period: row.get(2),
            before: row.get(3),
            after: row.get(4),
            delivered: row.get(5),
            reserved: row.get(6),
            indeterminate: row.get(7),
        };
        let rows = self.of_account("reading corrections", CORRECTIONS, account, rows_max).await?;
        Ok(rows.iter().map(correction).collect())
    }

    /// Its campaign work.
    pub async fn account_work(&self, account: &str) -> Result<Work> {
        let rows = self.of_account("reading campaign work", WORK, account, WORK_COUNTED_MAX).await?;
        let row = rows.first().ok_or(crate::error::Error::NoRow { what: "reading campaign work" })?;
        Ok(Work { waiting: row.get(0), deferred: row.get(1), parked: row.get(2) })
    }

    pub(super) async fn of_account(
        &self,
        what: &'static str,
        sql: &str,
        account: &str,
        rows_max: i64,
    ) -> Result<Vec<tokio_postgres::Row>> {
        self.rows(what, sql, &[(&account, Type::TEXT), (&rows_max, Type::INT8)]).await
    }
}
