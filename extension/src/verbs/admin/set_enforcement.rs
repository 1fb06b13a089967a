//! `set_enforcement`: whether the rules refuse on an account, or are only observed.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, VOID, sql_function, unknown_value};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::admin_log;
use sendgate_decision::names::Enforcement;
use serde_json::json;

sql_function!(sendgate_set_enforcement, pg_finfo_sendgate_set_enforcement, set_enforcement);

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.accounts a SET enforcement = $2 WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text, text],
);

fn set_enforcement(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let mode = match args.optional::<&str>(1) {
        Some(text) => Some(
            Enforcement::parse(text).ok_or_else(|| unknown_value("mode", text, &Enforcement::allowed()))?,
        ),
        None => None,
    };
    let note = args.note(2)?;
    Spi::connect(|spi| set(spi, account, mode, note))?;
    VOID
}

fn set(spi: &Spi, account: &str, mode: Option<Enforcement>, note: Option<&str>) -> Result<()> {
    let (held, row) = accounts::hold(account)?;
    if row.enforcement == mode {
        return Ok(());
    }
    // Written as it is, so that a decision that waits sees another version of the row.
    accounts::write_held(spi, held, row.version, &row.account.rolled(clock::now()))?;
    spi.run(&WRITE, params![held.id(), mode.map(Enforcement::name)]);
    let name = |mode: Option<Enforcement>| json!(mode.map(Enforcement::name));
    let change = (name(row.enforcement), name(mode));
    admin_log::write(spi, "set_enforcement", Some(account), Some("enforcement"), change, note);
    Ok(())
}
