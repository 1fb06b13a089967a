//! `set_status`: an operator sets an account's status, and its waiting work is looked at again.

use crate::postgres::function::{Answer, Args, VOID, sql_function, unknown_value};
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use sendgate_decision::names::Status;
use serde_json::json;

sql_function!(sendgate_set_status, pg_finfo_sendgate_set_status, set_status);

fn set_status(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let text: &str = args.required(1, "status")?;
    let status = Status::parse(text).ok_or_else(|| unknown_value("status", text, &Status::allowed()))?;
    let note = args.note(2)?;
    Spi::connect(|spi| {
        let done = accounts::change(spi, account, |row, _| {
            row.set_status(status);
            Ok(())
        })?;
        dispatch_queue::wake(spi, done.held, None, done.at);
        let change = (json!(done.before.status.name()), json!(status.name()));
        admin_log::write(spi, "set_status", Some(account), Some("status"), change, note);
        Ok(())
    })?;
    VOID
}
