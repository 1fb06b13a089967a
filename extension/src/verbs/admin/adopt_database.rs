//! `adopt_database`: this copy of the books is the one that sends from now on.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::function::{Answer, Args, VOID, sql_function, sql_reading};
use crate::postgres::gucs;
use crate::postgres::statement::Spi;
use crate::tables::admin_log;
use crate::tables::alerts::{self, About};
use crate::tables::home_database::{self, Database};
use pgrx::IntoDatum;
use serde_json::Value;

sql_function!(sendgate_adopt_database, pg_finfo_sendgate_adopt_database, adopt_database);
sql_reading!(sendgate_copied_database, pg_finfo_sendgate_copied_database, copied_database);

fn adopt_database(args: &Args) -> Answer {
    let note = args.note(0)?;
    Spi::connect(|spi| {
        commit::synchronously();
        let before = home_database::hold(spi)?;
        let here = Database::here();
        if before == Some(here) {
            return Ok(());
        }
        let now = clock::now();
        home_database::adopt(spi, &actor::name(), note, now)?;
        alerts::resolve(spi, About::Jobs, alerts::COPIED_DATABASE, now);
        let change = (before.map_or(Value::Null, Database::logged), here.logged());
        admin_log::write(spi, "adopt_database", None, None, change, note);
        Ok(())
    })?;
    VOID
}

/// For pages and checks that say so all the time; the gate asks its configuration.
fn copied_database(_args: &Args) -> Answer {
    let copied = Spi::connect_when_needed(|spi| {
        Ok(gucs::copy_check() && home_database::read(spi).is_some_and(Database::is_elsewhere))
    })?;
    Ok(copied.into_datum())
}
