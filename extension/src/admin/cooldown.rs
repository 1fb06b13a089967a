//! `clear_cooldown`.

use serde_json::json;

use crate::account_row;
use crate::clock;
use crate::entry::{Answer, Args, VOID, show_instant, sql_function};
use crate::log;
use crate::statement::Spi;

sql_function!(sendgate_clear_cooldown, pg_finfo_sendgate_clear_cooldown, clear_cooldown);

fn clear_cooldown(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let held = account_row::hold(spi, account)?;
        let Some(until) = held.account.cooldown_until else {
            return Ok(());
        };
        let mut after = held.account.rolled(clock::now());
        after.cooldown_until = None;
        account_row::write_held(spi, account, held.version, &after)?;
        let change = (json!(show_instant(until)), json!(null));
        log::admin(spi, "clear_cooldown", Some(account), Some("cooldown_until"), change, note);
        Ok(())
    })?;
    VOID
}
