//! What only the console shows of one account: its window, its day as a chart, its campaign work.

use chrono::NaiveDate;
use tokio_postgres::types::Type;

use super::attempt::Attempt;
use crate::db::{Session, Untrusted};
use crate::error::Result;

/// Its window and zone, and whether it is only observed.
const WINDOW: &str = "SELECT a.time_zone::text, to_char(a.window_start, 'HH24:MI'),
       to_char(a.window_end, 'HH24:MI'), a.window_days,
       sendgate.enforcement_of(a.enforcement) = 'observe'
FROM sendgate.linkedin_accounts AS a WHERE a.id = $1";

/// Slots taken and sends proven in each quarter of an hour of the day $2. A row that counts on the day but
/// happened on another one (it was recorded later, or by a clock that ran ahead) is put at the day's edge.
const QUARTERS: &str = "SELECT q.quarter, sum(q.taken)::integer, sum(q.proven)::integer
FROM (
    SELECT o.reserved_at AS at, 1 AS taken, 0 AS proven
    FROM sendgate.send_operations AS o
    WHERE o.account_id = $1 AND o.counted_on = $2 AND o.action = $3 AND o.state <> 'released'
    UNION ALL
    SELECT e.occurred_at, 0, 1
    FROM sendgate.linkedin_events AS e
    WHERE e.account_id = $1 AND e.counted_on = $2 AND e.event_type = $3 || '_sent'
      AND e.occurred_at >= $2 - 2
) AS x
CROSS JOIN LATERAL (
    SELECT least(greatest(floor(extract(epoch FROM x.at - $2::timestamptz) / 900), 0), 95)::integer
               AS quarter, x.taken, x.proven
) AS q
GROUP BY q.quarter ORDER BY q.quarter";

/// Its campaign work; counted up to a bound.
const WORK: &str = "SELECT count(*) FILTER (WHERE w.state = 'waiting'),
       count(*) FILTER (WHERE w.state = 'waiting' AND w.reason = 'account_inmail_credits_exhausted'),
       count(*) FILTER (WHERE w.state = 'parked')
FROM (
    SELECT e.state, e.reason FROM sendgate.enrollments AS e
    WHERE e.account_id = $1 AND e.state IN ('waiting', 'parked') LIMIT $2
) AS w";

/// Its last attempts, newest first; an index has an account's operations by day.
const ATTEMPTS: &str = "SELECT to_jsonb(o) FROM sendgate.send_operations AS o
WHERE o.account_id = $1 ORDER BY o.counted_on DESC, o.reserved_at DESC, o.operation_id DESC LIMIT $2";

/// Enrollments of one account are counted up to here.
pub const WORK_COUNTED_MAX: i64 = 10_000;

/// When an account may send.
#[derive(Clone, Debug)]
pub struct Window {
    /// Its time zone.
    pub zone: Untrusted,
    /// Start and end of the day's window, local; none: at any time.
    pub hours: Option<(String, String)>,
    /// The window's days, from 1 for Monday.
    pub days: Option<Vec<i32>>,
    /// Whether the account is only observed: its rules refuse nothing.
    pub observed: bool,
}

/// A quarter of an hour in which something happened.
#[derive(Clone, Copy, Debug)]
pub struct Quarter {
    /// Its number in the day, from 0 to 95.
    pub number: i32,
    /// Slots taken and not given back.
    pub taken: i32,
    /// Sends proven.
    pub proven: i32,
}

/// Campaign work of an account, in enrollments.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Those that wait, deferred ones included.
    pub waiting: i64,
    /// Those that wait for credits.
    pub deferred: i64,
    /// Those that an operator has to look at.
    pub parked: i64,
}

impl Session {
    /// When the account may send; none if there is no such account.
    pub async fn account_window(&self, account: &str) -> Result<Option<Window>> {
        let rows = self.rows("reading the account", WINDOW, &[(&account, Type::TEXT)]).await?;
        Ok(rows.first().map(|row| Window {
            zone: row.get(0),
            hours: row.get::<_, Option<String>>(1).zip(row.get(2)),
            days: row.get(3),
            observed: row.get(4),
        }))
    }

    /// Sends of one action on a day, by quarters of an hour; quarters without any are missing.
    pub async fn account_quarters(
        &self,
        account: &str,
        day: NaiveDate,
        action: &str,
    ) -> Result<Vec<Quarter>> {
        let parameters = [(&account as _, Type::TEXT), (&day as _, Type::DATE), (&action as _, Type::TEXT)];
        let rows = self.rows("reading the account's day", QUARTERS, &parameters).await?;
        let quarter =
            |row: &tokio_postgres::Row| Quarter { number: row.get(0), taken: row.get(1), proven: row.get(2) };
        Ok(rows.iter().map(quarter).collect())
    }

    /// Its last attempts, newest first.
    pub async fn account_attempts(&self, account: &str, rows_max: i64) -> Result<Vec<Attempt>> {
        let parameters = [(&account as _, Type::TEXT), (&rows_max as _, Type::INT8)];
        self.objects("reading attempts", ATTEMPTS, &parameters).await
    }

    /// Its campaign work, counted up to [`WORK_COUNTED_MAX`].
    pub async fn account_work(&self, account: &str) -> Result<Work> {
        let parameters = [(&account as _, Type::TEXT), (&WORK_COUNTED_MAX as _, Type::INT8)];
        let row = self.row("reading campaign work", WORK, &parameters).await?;
        Ok(Work { waiting: row.get(0), deferred: row.get(1), parked: row.get(2) })
    }
}
