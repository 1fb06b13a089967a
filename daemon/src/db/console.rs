//! The console's statements. Every page is a few statements with bounded plans: bounded by a page, by a
//! number of rows to look at, or by one account's own history.

pub mod account;
pub mod accounts;
pub mod acts;
pub mod admin_log;
pub mod attempt;
pub mod campaigns;
pub mod caps;
pub mod fleet;
pub mod logs;
pub mod month;
pub mod prospect;
pub mod search;
pub mod work;

use tokio_postgres::types::Type;

use super::status::Observed;
use super::stopped::{Paused, Quarantine, Stopped};
use super::{Session, Timestamp};
use crate::error::Result;

/// Open alerts and unknown outcomes are counted up to this number; more is shown as "99+".
pub const COUNTED_MAX: i64 = 99;

/// The operators' functions that have a button. Without the function, or without its grant, there is no
/// button.
const FUNCTIONS: [&str; 19] = [
    "acknowledge_alert",
    "breaker_clear",
    "breaker_force",
    "breaker_probe",
    "clear_cooldown",
    "pause_all",
    "pause_campaign",
    "requeue",
    "resolve_operation",
    "resolve_unresolved",
    "resume_all",
    "resume_campaign",
    "set_campaign",
    "set_cap",
    "set_pace",
    "set_status",
    "suppress_prospect",
    "switch_action",
    "unsuppress_prospect",
];

/// The state that every page shows: the clock, what holds for all accounts, open alerts and unknown outcomes (counted up
/// to a bound), jobs that are late, and granted functions.
const FRAME: &str = "SELECT c.at, p.paused_at, p.actor, p.note,
       (SELECT count(*) FROM (SELECT FROM sendgate.open_alerts AS o ORDER BY o.opened_at LIMIT 100) AS a),
       (SELECT count(*) FROM sendgate.reconciler_health AS h WHERE h.stale),
       ARRAY(SELECT f.proname::text FROM pg_proc AS f
             WHERE f.pronamespace = 'sendgate'::regnamespace AND f.proname = ANY ($1)
               AND has_function_privilege(f.oid, 'EXECUTE')),
       q.quarantined_at, q.audited AND q.reconciled,
       (SELECT count(*) FROM (
           SELECT FROM sendgate.send_operations AS u
           WHERE u.unknown_since IS NOT NULL ORDER BY u.unknown_since LIMIT 100) AS n),
       sendgate.copied_database(), coalesce(current_setting('sendgate.test_clock', true), 'off') = 'on'
FROM (SELECT sendgate.clock() AS at) AS c
LEFT JOIN sendgate.pause_switch AS p ON true
LEFT JOIN sendgate.quarantine_progress AS q ON true";

/// The state that every page shows.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The clock by which the page is read.
    pub at: Timestamp,
    /// What holds for all accounts.
    pub stopped: Stopped,
    /// Whether the books were written in another database, so that nothing is sent from here.
    pub copied: bool,
    /// Who is only observed; none while the table of the accounts is locked.
    pub observed: Option<Observed>,
    /// Open alerts, counted up to [`COUNTED_MAX`] and one.
    pub alerts: i64,
    /// Unknown outcomes, counted in the same way.
    pub unknown: i64,
    /// Jobs that missed two runs.
    pub stale_jobs: i64,
    /// The operators' functions that exist and that this login may call.
    pub functions: Vec<String>,
}

impl Session {
    /// The state that every page shows.
    pub async fn console_frame(&self) -> Result<Frame> {
        let functions = FUNCTIONS.as_slice();
        let row = self.row("reading the clock", FRAME, &[(&functions, Type::TEXT_ARRAY)]).await?;
        let paused = row.get::<_, Option<Timestamp>>(1).map(|since| Paused {
            since,
            actor: row.get(2),
            note: row.get(3),
            quarantine: row
                .get::<_, Option<Timestamp>>(7)
                .map(|since| Quarantine { since, checked: row.get(8) }),
        });
        // A page that reads no account is shown while their table is locked, too.
        let observed = match self.observed().await {
            Err(error) if error.is_held() => None,
            found => Some(found?),
        };
        Ok(Frame {
            at: row.get(0),
            copied: row.get(10),
            observed,
            stopped: Stopped { paused, test_clock: row.get(11) },
            alerts: row.get(4),
            unknown: row.get(9),
            stale_jobs: row.get(5),
            functions: row.get(6),
        })
    }
}
