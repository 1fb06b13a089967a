//! `pause_all` and `resume_all`: the one switch.

use pgrx::pg_sys;
use serde_json::{Value, json};

use crate::account_row::commit_synchronously;
use crate::actor;
use crate::clock;
use crate::entry::{Answer, Args, VOID, sql_function};
use crate::log;
use crate::statement::{Spi, Statement, params};

sql_function!(sendgate_pause_all, pg_finfo_sendgate_pause_all, pause_all);
sql_function!(sendgate_resume_all, pg_finfo_sendgate_resume_all, resume_all);

static PAUSE: Statement = Statement::new(
    "INSERT INTO sendgate.pause_switch (paused_at, actor, note) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    &[pg_sys::TIMESTAMPTZOID, pg_sys::TEXTOID, pg_sys::TEXTOID],
);

static RESUME: Statement = Statement::new("DELETE FROM sendgate.pause_switch", &[]);

fn pause_all(args: &Args) -> Answer {
    let note = args.note(0)?;
    Spi::connect(|spi| {
        commit_synchronously();
        let actor = actor::name();
        let paused = spi.run_waiting(&PAUSE, params![clock::now(), &actor, note])?.count() == 1;
        if paused {
            log::admin(spi, "pause_all", None, None, (Value::Null, json!("paused")), note);
        }
        Ok(())
    })?;
    VOID
}

fn resume_all(_args: &Args) -> Answer {
    Spi::connect(|spi| {
        if spi.run_waiting(&RESUME, &[])?.count() > 0 {
            log::admin(spi, "resume_all", None, None, (json!("paused"), Value::Null), None);
        }
        Ok(())
    })?;
    VOID
}
