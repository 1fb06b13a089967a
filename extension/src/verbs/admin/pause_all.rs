//! `pause_all`, `quarantine` and `resume_all`: the one switch.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, show_instant, sql_function};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::admin_log;
use crate::tables::quarantine;
use sendgate_decision::clock::Instant;
use serde_json::{Value, json};

sql_function!(sendgate_pause_all, pg_finfo_sendgate_pause_all, pause_all);
sql_function!(sendgate_quarantine, pg_finfo_sendgate_quarantine, quarantine);
sql_function!(sendgate_resume_all, pg_finfo_sendgate_resume_all, resume_all);

static PAUSE: Statement = Statement::new(
    "INSERT INTO sendgate.pause_switch (paused_at, actor, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    types![instant, text, text],
);

/// Asked without a lock: a `resume_all` meanwhile need not wait for a switch that was on before.
static IS_ON: Statement = Statement::new("SELECT 1 FROM sendgate.pause_switch", &[]);

/// Over a pause or an earlier quarantine, whose sweeps do not count for this one.
static QUARANTINE: Statement = Statement::new(
    "INSERT INTO sendgate.pause_switch (paused_at, actor, note, quarantine_id, quarantined_at)
     VALUES ($1, $2, $3, $4, $1)
     ON CONFLICT (only_row) DO UPDATE
     SET actor = EXCLUDED.actor, note = EXCLUDED.note, quarantine_id = EXCLUDED.quarantine_id,
         quarantined_at = EXCLUDED.quarantined_at",
    types![instant, text, text, uuid],
);

static HOLD: Statement =
    Statement::new("SELECT p.quarantine_id, p.quarantined_at FROM sendgate.pause_switch p FOR UPDATE", &[]);

static RESUME: Statement = Statement::new("DELETE FROM sendgate.pause_switch", &[]);

/// What the switch says while it is held.
enum Switch {
    Off,
    Paused,
    Quarantined { id: Id, since: Instant },
}

impl Switch {
    fn hold(spi: &Spi) -> Result<Switch> {
        let Some(mut row) = spi.run_waiting(&HOLD, &[])?.first() else { return Ok(Switch::Off) };
        Ok(match row.nullable_uuid().zip(row.nullable_instant()) {
            Some((id, since)) => Switch::Quarantined { id, since },
            None => Switch::Paused,
        })
    }

    /// As the admin log has it.
    fn logged(&self) -> Value {
        match self {
            Switch::Off => Value::Null,
            Switch::Paused => json!("paused"),
            Switch::Quarantined { .. } => json!("quarantined"),
        }
    }
}

/// How often the switch may be neither put on nor found on.
const ATTEMPTS_MAX: u8 = 10;

fn pause_all(args: &Args) -> Answer {
    let note = args.note(0)?;
    Spi::connect(|spi| {
        commit::synchronously();
        let actor = actor::name();
        let pause = || Ok(spi.run_waiting(&PAUSE, params![clock::now(), &actor, note])?.count() == 1);
        let (mut paused, mut attempts) = (pause()?, 1);
        // It is on already; or it was until now; or a trigger leaves the row out.
        while !paused && spi.run_on_latest_snapshot(&IS_ON, &[]).count() == 0 {
            if attempts == ATTEMPTS_MAX {
                dropped("pause_switch", 1, 0);
            }
            (paused, attempts) = (pause()?, attempts + 1);
        }
        if paused {
            admin_log::write(spi, "pause_all", None, None, (Value::Null, json!("paused")), note);
        }
        Ok(())
    })?;
    VOID
}

fn quarantine(args: &Args) -> Answer {
    let note = args.note(0)?;
    Spi::connect(|spi| {
        commit::synchronously();
        let before = Switch::hold(spi)?.logged();
        let row = params![clock::now(), &actor::name(), note, ids::fresh()];
        spi.run_waiting(&QUARANTINE, row)?.must_be(1, "pause_switch");
        admin_log::write(spi, "quarantine", None, None, (before, json!("quarantined")), note);
        Ok(())
    })?;
    VOID
}

fn resume_all(_args: &Args) -> Answer {
    Spi::connect(|spi| {
        // Held first: what the sweeps say is read by a statement of its own, so that a quarantine that
        // was called meanwhile is seen with it.
        let switch = Switch::hold(spi)?;
        match switch {
            // Nothing was locked: if a row exists by now, another session has just switched it on.
            Switch::Off => return Ok(()),
            Switch::Paused => (),
            Switch::Quarantined { id, since } => {
                let unswept = quarantine::unswept(spi, id);
                if !unswept.is_empty() {
                    return Err(still_quarantined(since, &unswept));
                }
            }
        }
        spi.run(&RESUME, &[]).must_be(1, "pause_switch");
        admin_log::write(spi, "resume_all", None, None, (switch.logged(), Value::Null), None);
        Ok(())
    })?;
    VOID
}

fn still_quarantined(since: Instant, unswept: &[&str]) -> Error {
    Error::new(
        Code::Quarantined,
        format!("everything is in quarantine since {}, and not checked yet", show_instant(since)),
        format!("No sweep that began since then has met every account: {}.", unswept.join(", ")),
        "Let sendgated, pg_cron or CALL sendgate.tick() run them to their end, then call resume_all again; sendgate.quarantine_progress says how far they are.",
    )
}
