//! `acknowledge_alert`: an operator has seen an alert.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::{Code, Error};
use crate::postgres::function::{Answer, Args, VOID, sql_function};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::admin_log;
use crate::tables::webhook_outbox::{self, Event};
use serde_json::{Value, json};

sql_function!(sendgate_acknowledge_alert, pg_finfo_sendgate_acknowledge_alert, acknowledge_alert);

/// An alert about a single event, not about a state, is resolved once an operator has acknowledged it.
static ACKNOWLEDGE: Statement = Statement::new(
    "UPDATE sendgate.alerts l
     SET acknowledged_by = $2, acknowledged_at = $3, acknowledge_note = $4,
         resolved_at = CASE WHEN l.kind OPERATOR(pg_catalog.=) ANY (
             ARRAY['delivered_after_rollback', 'unreserved_send', 'poisoned_enrollment',
                   'webhook_failing']) THEN $3 ELSE l.resolved_at END
     WHERE l.alert_id OPERATOR(pg_catalog.=) $1 AND l.acknowledged_at IS NULL
     RETURNING l.account_id, l.kind, l.resolved_at IS NOT DISTINCT FROM $3",
    types![uuid, text, instant, text],
);

static EXISTS: Statement = Statement::new(
    "SELECT 1 FROM sendgate.alerts l WHERE l.alert_id OPERATOR(pg_catalog.=) $1",
    types![uuid],
);

fn acknowledge_alert(args: &Args) -> Answer {
    let alert = args.uuid(0, "alert_id")?;
    let note = args.note(1)?;
    Spi::connect(|spi| {
        commit::synchronously();
        let actor = actor::name();
        let now = clock::now();
        let rows = spi.run_waiting(&ACKNOWLEDGE, params![alert, &actor, now, note])?;
        let Some(mut row) = rows.first() else {
            if spi.run(&EXISTS, params![alert]).count() > 0 {
                return Ok(());
            }
            return Err(unknown(alert));
        };
        let (account, kind): (String, String) = (row.value(), row.value());
        if row.value() {
            webhook_outbox::tell(spi, Event::AlertResolved, &[(&account, alert)], now);
        }
        let change = (Value::Null, json!({ "acknowledged": kind }));
        admin_log::write(spi, "acknowledge_alert", Some(&account), Some(&ids::show(alert)), change, note);
        Ok(())
    })?;
    VOID
}

fn unknown(alert: Id) -> Error {
    Error::new(
        Code::UnknownAlert,
        format!("unknown alert: {}", ids::show(alert)),
        "An alert that was resolved long ago may have been pruned.",
        "sendgate.open_alerts lists what is open.",
    )
}
