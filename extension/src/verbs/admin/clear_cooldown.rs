//! `clear_cooldown`.

use crate::postgres::function::{Answer, Args, VOID, show_instant, sql_function};
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use serde_json::json;

sql_function!(sendgate_clear_cooldown, pg_finfo_sendgate_clear_cooldown, clear_cooldown);

fn clear_cooldown(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let done = accounts::change(spi, account, |row, _| {
            row.cooldown_until = None;
            Ok(())
        })?;
        let Some(until) = done.before.cooldown_until else { return Ok(()) };
        dispatch_queue::wake(spi, done.held, None, done.at);
        let change = (json!(show_instant(until)), json!(null));
        admin_log::write(spi, "clear_cooldown", Some(account), Some("cooldown_until"), change, note);
        Ok(())
    })?;
    VOID
}
