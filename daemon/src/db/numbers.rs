//! The numbers of `/metrics`. The statements read accounts that are active or stopped and today's logs; one
//! reads two columns of all accounts.

use tokio_postgres::types::Type;

use super::account::ACTIONS;
use super::heartbeats::Heartbeat;
use super::notifications::WebhookState;
use super::{Session, Timestamp};
use crate::error::Result;

/// The database's clock, whether it is a test's, and whether this is a copy. The clock comes first, because the call loads the
/// library that knows the setting.
const CLOCK: &str = "SELECT c.at, coalesce(current_setting('sendgate.test_clock', true), 'off') = 'on',
       sendgate.copied_database(), sendgate.enforcement_of(NULL) = 'observe'
FROM (SELECT sendgate.clock() AS at) AS c";

/// Breakers that the credits hold open; found by the index of exhausted accounts.
const BREAKERS_OPEN: &str = "SELECT count(*) FROM sendgate.breakers AS b
WHERE b.exhausted_at IS NOT NULL AND b.state = 'open'";

/// Accounts with a told balance of InMail credits by its state.
const CREDITS: &str = "SELECT c.state, c.accounts FROM sendgate.credit_states AS c";

/// All accounts by status and breaker mode, and how many of them are only observed.
const ACCOUNTS: &str = "SELECT a.status::text, a.breaker_mode::text, count(*),
       count(*) FILTER (WHERE coalesce(a.enforcement, sendgate.enforcement_of(NULL)) = 'observe')
FROM sendgate.linkedin_accounts AS a GROUP BY 1, 2";

/// Slots used today. Only accounts whose counters are of today have used any.
const SLOTS: &str = "SELECT coalesce(sum(a.inmails_sent_today), 0)::bigint,
       coalesce(sum(a.invites_sent_today), 0)::bigint,
       coalesce(sum(a.messages_sent_today), 0)::bigint,
       coalesce(sum(a.profile_views_sent_today), 0)::bigint,
       coalesce(sum(a.engagements_sent_today), 0)::bigint
FROM sendgate.linkedin_accounts AS a WHERE a.counters_day >= $1";

/// Skips of campaign work today.
const SKIPS: &str = "SELECT e.action::text, e.reason, count(*), coalesce(sum(e.repeats), 0)::bigint
FROM sendgate.campaign_events AS e
WHERE e.at >= $1::timestamptz AND e.at < $1::timestamptz + interval '1 day'
GROUP BY 1, 2";

/// Corrections of counters today.
const DRIFT: &str = "SELECT d.action::text, count(*) FROM sendgate.counter_drift AS d
WHERE d.at >= $1::timestamptz AND d.at < $1::timestamptz + interval '1 day'
GROUP BY 1";

/// Refusals since the server started; no rows where the server does not count them.
const REFUSALS: &str =
    "SELECT r.action, r.reason, r.refusals FROM sendgate.refusal_counts() AS r ORDER BY 1, 2";

/// Accounts that cool down, whole or one of their actions, by cause.
const COOLING: &str = "SELECT coalesce(w.cause, 'unknown'), count(DISTINCT w.account_id)
FROM sendgate.cooldowns AS w GROUP BY 1 ORDER BY 1";

/// Unknown outcomes, counted up to a bound, and for how long the oldest one has been.
const UNKNOWN: &str = "SELECT count(*), extract(epoch FROM sendgate.clock() - min(u.unknown_since))::float8
FROM (
    SELECT o.unknown_since FROM sendgate.send_operations AS o
    WHERE o.unknown_since IS NOT NULL ORDER BY o.unknown_since LIMIT 100000
) AS u";

/// About how many enrollments there are.
const ENROLLMENTS_ABOUT: &str = "SELECT greatest(c.reltuples, 0)::float8 FROM pg_class AS c WHERE c.oid = 'sendgate.enrollments'::regclass";
/// Enrollments by state, in a sample of $1 percent of the table's pages.
const ENROLLMENTS: &str = "SELECT e.state::text, count(*)
FROM sendgate.enrollments AS e TABLESAMPLE SYSTEM ($1) GROUP BY 1";
/// Up to so many enrollments are counted exactly; of more, a sample of about so many is.
const ENROLLMENTS_EXACT_MAX: f64 = 200_000.0;

/// For how long the oldest piece of campaign work has been due, in seconds.
const DUE: &str = "SELECT extract(epoch FROM d.age)::float8 FROM sendgate.due_work AS d";

/// What happened since the server started; no rows where the server does not count it.
const ACTIVITY: &str = "SELECT a.what, a.action, a.outcome, a.counted FROM sendgate.activity_counts() AS a";

/// Whether this login may count the outbox exactly.
const OUTBOX_MAY: &str = "SELECT has_table_privilege('sendgate.breaker_outbox', 'SELECT')";
/// The exact count, up to a limit.
const OUTBOX_COUNT: &str =
    "SELECT count(*) FROM (SELECT FROM sendgate.breaker_outbox AS o LIMIT 100000) AS w";
/// The estimate of the statistics, about a second old.
const OUTBOX_ESTIMATE: &str = "SELECT pg_stat_get_live_tuples('sendgate.breaker_outbox'::regclass)";

/// All numbers of the database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Whether the test clock is on.
    pub test_clock: bool,
    /// Whether the books were written in another database.
    pub copied: bool,
    /// Whether the setting lets every account without a mode of its own be observed.
    pub observes: bool,
    /// Accounts that are only observed, by the setting or their own mode.
    pub observed: i64,
    /// Whether everything is paused, quarantined or not.
    pub paused: bool,
    /// Whether everything is in quarantine.
    pub quarantined: bool,
    /// Accounts that cool down, whole or one of their actions, by cause.
    pub cooling: Vec<(String, i64)>,
    /// Unknown outcomes, up to a bound.
    pub unknown: i64,
    /// For how long the oldest of them has been unknown, in seconds; none if there is none.
    pub unknown_age_seconds: Option<f64>,
    /// Enrollments by state; estimated if there are many.
    pub enrollments: Vec<(String, i64)>,
    /// For how long the oldest piece of campaign work has been due, in seconds; none without work.
    pub due_age_seconds: Option<f64>,
    /// What happened since the server started. Empty if the server does not count it.
    pub activity: Vec<Activity>,
    /// Breakers that are open because credits are exhausted.
    pub breakers_open: i64,
    /// Accounts by status and breaker mode.
    pub accounts: Vec<(String, String, i64)>,
    /// Accounts with a told balance of InMail credits, by its state.
    pub credits: Vec<(String, i64)>,
    /// Slots used today, in the order of [`ACTIONS`].
    pub slots_used: [i64; ACTIONS.len()],
    /// Skips today: action, reason, number, and how often they were asked for again.
    pub skips: Vec<(String, String, i64, i64)>,
    /// Refusals since the server started: action, reason, number. Empty if the server does not count them.
    pub refusals: Vec<(String, String, i64)>,
    /// Corrected counters today, by action.
    pub drift: Vec<(String, i64)>,
    /// Open alerts by kind.
    pub alerts: Vec<(String, i64)>,
    /// Heartbeats.
    pub jobs: Vec<Heartbeat>,
    /// Lines of the breaker that are not printed yet.
    pub outbox_rows: i64,
    /// Webhooks that are told of events.
    pub webhooks: Vec<WebhookState>,
}

/// How often something happened since the server started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// `grant`, `delivery`, `outcome`, `breaker_set` or `breaker_clear`.
    pub what: String,
    /// The action, if it is about one.
    pub action: Option<String>,
    /// The outcome, if it is one.
    pub outcome: Option<String>,
    /// How often.
    pub counted: i64,
}

impl Session {
    /// Counts everything. The statements run one after the other.
    pub async fn numbers(&self) -> Result<Numbers> {
        let what = "counting for metrics";
        let clock = self.row(what, CLOCK, &[]).await?;
        let day = clock.get::<_, Timestamp>(0).day();
        let today = [(&day as _, Type::DATE)];
        let slots = self.row(what, SLOTS, &today).await?;
        let skips = self.rows(what, SKIPS, &today).await?;
        let drift = self.rows(what, DRIFT, &today).await?;
        let refusals = self.rows(what, REFUSALS, &[]).await?;
        let accounts = self.rows(what, ACCOUNTS, &[]).await?;
        let credits = self.rows(what, CREDITS, &[]).await?;
        let (_, stopped) = self.stopped().await?;
        let cooling = self.rows(what, COOLING, &[]).await?;
        let unknown = self.row(what, UNKNOWN, &[]).await?;
        let activity = self.rows(what, ACTIVITY, &[]).await?;
        Ok(Numbers {
            test_clock: clock.get(1),
            copied: clock.get(2),
            observes: clock.get(3),
            observed: accounts.iter().map(|row| row.get::<_, i64>(3)).sum(),
            quarantined: stopped.paused.as_ref().is_some_and(|paused| paused.quarantine.is_some()),
            paused: stopped.paused.is_some(),
            cooling: cooling.iter().map(|row| (row.get(0), row.get(1))).collect(),
            unknown: unknown.get(0),
            unknown_age_seconds: unknown.get(1),
            enrollments: self.enrollments_by_state().await?,
            due_age_seconds: self.row(what, DUE, &[]).await?.get(0),
            activity: activity
                .iter()
                .map(|row| Activity {
                    what: row.get(0),
                    action: row.get(1),
                    outcome: row.get(2),
                    counted: row.get(3),
                })
                .collect(),
            breakers_open: self.row(what, BREAKERS_OPEN, &[]).await?.get(0),
            accounts: accounts.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
            credits: credits.iter().map(|row| (row.get(0), row.get(1))).collect(),
            slots_used: std::array::from_fn(|n| slots.get(n)),
            skips: skips.iter().map(|row| (row.get(0), row.get(1), row.get(2), row.get(3))).collect(),
            refusals: refusals.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect(),
            drift: drift.iter().map(|row| (row.get(0), row.get(1))).collect(),
            alerts: self.alerts_by_kind().await?,
            jobs: self.heartbeats().await?,
            outbox_rows: self.outbox_rows().await?,
            webhooks: self.webhooks().await?,
        })
    }

    /// Exact as long as there are few.
    async fn enrollments_by_state(&self) -> Result<Vec<(String, i64)>> {
        let what = "counting enrollments";
        let about: f64 = self.row(what, ENROLLMENTS_ABOUT, &[]).await?.get(0);
        let share = (ENROLLMENTS_EXACT_MAX / about.max(1.0)).min(1.0);
        let percent = (share * 100.0) as f32;
        let rows = self.rows(what, ENROLLMENTS, &[(&percent as _, Type::FLOAT4)]).await?;
        let all = |counted: i64| (counted as f64 / share).round() as i64;
        Ok(rows.iter().map(|row| (row.get(0), all(row.get(1)))).collect())
    }

    async fn outbox_rows(&self) -> Result<i64> {
        let what = "counting the breaker's lines";
        let may: bool = self.row(what, OUTBOX_MAY, &[]).await?.get(0);
        let sql = if may { OUTBOX_COUNT } else { OUTBOX_ESTIMATE };
        Ok(self.row(what, sql, &[]).await?.get(0))
    }
}
