//! `set_status`.

use sendgate_decision::names::Status;
use serde_json::json;

use crate::account_row;
use crate::entry::{Answer, Args, VOID, sql_function, unknown_value};
use crate::log;
use crate::queue;
use crate::statement::Spi;

sql_function!(sendgate_set_status, pg_finfo_sendgate_set_status, set_status);

fn set_status(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let text: &str = args.required(1, "status")?;
    let status = Status::parse(text).ok_or_else(|| unknown_value("status", text, &Status::allowed()))?;
    let note = args.note(2)?;
    Spi::connect(|spi| {
        let done = account_row::change(spi, account, |row, _| {
            row.status = status;
            Ok(())
        })?;
        queue::wake(spi, account, None, done.at);
        let change = (json!(done.before.status.name()), json!(status.name()));
        log::admin(spi, "set_status", Some(account), Some("status"), change, note);
        Ok(())
    })?;
    VOID
}
