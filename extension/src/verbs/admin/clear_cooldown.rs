//! `clear_cooldown`.

use serde_json::json;

use crate::account_row;
use crate::entry::{Answer, Args, VOID, show_instant, sql_function};
use crate::log;
use crate::queue;
use crate::statement::Spi;

sql_function!(sendgate_clear_cooldown, pg_finfo_sendgate_clear_cooldown, clear_cooldown);

fn clear_cooldown(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let done = account_row::change(spi, account, |row, _| {
            row.cooldown_until = None;
            Ok(())
        })?;
        let Some(until) = done.before.cooldown_until else { return Ok(()) };
        queue::wake(spi, account, None, done.at);
        let change = (json!(show_instant(until)), json!(null));
        log::admin(spi, "clear_cooldown", Some(account), Some("cooldown_until"), change, note);
        Ok(())
    })?;
    VOID
}
