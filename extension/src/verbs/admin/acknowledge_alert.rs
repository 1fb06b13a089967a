//! Alerts: one open per account, day and kind; resolved by themselves when their cause is gone.

use std::collections::HashSet;

use pgrx::pg_sys;
use sendgate_decision::clock::{Day, Instant};

use crate::account_row::commit_synchronously;
use crate::actor;
use crate::arrays::{Element, array};
use crate::clock;
use crate::entry::{Answer, Args, VOID, sql_function};
use crate::error::{Code, Error};
use crate::ids;
use crate::journal;
use crate::log;
use crate::statement::{Spi, Statement, params};
use serde_json::{Value, json};

sql_function!(sendgate_acknowledge_alert, pg_finfo_sendgate_acknowledge_alert, acknowledge_alert);

/// Stands for all accounts, in alerts that are about none.
pub const NO_ACCOUNT: &str = "*";

static OPEN: Statement = Statement::new(
    "INSERT INTO sendgate.alerts (alert_id, account_id, kind, day, detail, opened_at)
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
    &[
        pg_sys::UUIDOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::DATEOID,
        pg_sys::TEXTOID,
        pg_sys::TIMESTAMPTZOID,
    ],
);

/// Of these accounts, all open alerts of a kind but those on the accounts where it goes on: of the day,
/// or of a later one where the row's day is ahead of the clock.
static RESOLVE: Statement = Statement::new(
    "UPDATE sendgate.alerts l SET resolved_at = $4
     WHERE l.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND l.kind OPERATOR(pg_catalog.=) $2 AND l.resolved_at IS NULL
       AND NOT (l.day OPERATOR(pg_catalog.>=) $3
                AND l.account_id OPERATOR(pg_catalog.=) ANY ($5::pg_catalog.text[]))",
    &[pg_sys::TEXTARRAYOID, pg_sys::TEXTOID, pg_sys::DATEOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTARRAYOID],
);

static WAS_RAISED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l
     WHERE l.account_id OPERATOR(pg_catalog.=) $1 AND l.kind OPERATOR(pg_catalog.=) $2
       AND l.day OPERATOR(pg_catalog.=) $3",
    &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::DATEOID],
);

/// What tells of an event rather than of a state is resolved when somebody has acknowledged it.
static ACKNOWLEDGE: Statement = Statement::new(
    "UPDATE sendgate.alerts l
     SET acknowledged_by = $2, acknowledged_at = $3, acknowledge_note = $4,
         resolved_at = CASE WHEN l.kind OPERATOR(pg_catalog.=) ANY (
             ARRAY['delivered_after_rollback', 'unreserved_send', 'poisoned_enrollment']) THEN $3 ELSE l.resolved_at END
     WHERE l.alert_id OPERATOR(pg_catalog.=) $1 AND l.acknowledged_at IS NULL
     RETURNING l.account_id, l.kind",
    &[pg_sys::UUIDOID, pg_sys::TEXTOID, pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID],
);

static EXISTS: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l WHERE l.alert_id OPERATOR(pg_catalog.=) $1",
    &[pg_sys::UUIDOID],
);

/// Opens an alert, unless one of that account, kind and day is open.
pub fn open(spi: &Spi, account: &str, kind: &str, day: Day, detail: &str, now: Instant) -> bool {
    spi.run(&OPEN, params![ids::fresh(), account, kind, day, detail, now]).count() > 0
}

/// Whether such an alert was ever raised, resolved or not.
pub fn was_raised(spi: &Spi, account: &str, kind: &str, day: Day) -> bool {
    spi.run(&WAS_RAISED, params![account, kind, day]).count() > 0
}

/// Resolves the alerts of a kind on these accounts, except on those where its cause goes on today.
pub fn resolve(spi: &Spi, accounts: &[&str], kind: &str, day: Day, still: &HashSet<&str>, now: Instant) {
    let all = array(Element::Text, accounts.iter().copied());
    let still = array(Element::Text, still.iter().copied());
    spi.run(&RESOLVE, &[all, params![kind][0], params![day][0], params![now][0], still]);
}

fn acknowledge_alert(args: &Args) -> Answer {
    let alert = args.uuid(0, "alert_id")?;
    let note = args.note(1)?;
    Spi::connect(|spi| {
        commit_synchronously();
        let actor = actor::name();
        let rows = spi.run_waiting(&ACKNOWLEDGE, params![alert, &actor, clock::now(), note])?;
        let Some(mut row) = rows.first() else {
            if spi.run(&EXISTS, params![alert]).count() > 0 {
                return Ok(());
            }
            return Err(unknown(alert));
        };
        let (account, kind): (String, String) = (row.value(), row.value());
        let change = (Value::Null, json!({ "acknowledged": kind }));
        log::admin(spi, "acknowledge_alert", Some(&account), Some(&journal::show(alert)), change, note);
        Ok(())
    })?;
    VOID
}

fn unknown(alert: [u8; 16]) -> Error {
    Error::new(
        Code::UnknownAlert,
        format!("unknown alert: {}", journal::show(alert)),
        "An alert that was resolved long ago may have been pruned.",
        "sendgate.open_alerts lists what is open.",
    )
}
