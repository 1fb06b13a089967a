//! `set_pace`: how far apart the grants of an account are.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, VOID, sql_function};
use crate::postgres::param::{Span, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use sendgate_decision::account::Pace;
use sendgate_decision::clock::SECOND;
use serde_json::{Value, json};

sql_function!(sendgate_set_pace, pg_finfo_sendgate_set_pace, set_pace);

/// Longest gap between two grants of an account, in days.
const MINIMUM_GAP_DAYS_MAX: i64 = 31;

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.accounts a
     SET pace_gap = $2, pace_jitter_percent = $3, pace_spread = $4
     WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text, span, int2, bool],
);

fn set_pace(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let gap = args.optional_interval(1, "minimum_gap", MINIMUM_GAP_DAYS_MAX)?;
    let pace = Pace {
        minimum_gap: gap.unwrap_or_default(),
        jitter_percent: args.number(2, "jitter_percent", 0, 100)?,
        spread: args.required(3, "spread")?,
    };
    let note = args.note(4)?;
    Spi::connect(|spi| set(spi, account, pace, note))?;
    VOID
}

fn set(spi: &Spi, account: &str, pace: Pace, note: Option<&str>) -> Result<()> {
    // Written as it is, so that a decision that waits sees another version of the row.
    let done = accounts::change(spi, account, |_, _| Ok(()))?;
    if done.before.pace == pace {
        return Ok(());
    }
    // What is not set is NULL, which costs no room in the row.
    let gap = (pace.minimum_gap > 0).then_some(Span(pace.minimum_gap));
    let jitter = (pace.jitter_percent > 0).then_some(pace.jitter_percent as i16);
    spi.run(&WRITE, params![done.held.id(), gap, jitter, pace.spread.then_some(true)]);
    dispatch_queue::wake(spi, done.held, None, done.at);
    let change = (show(&done.before.pace), show(&pace));
    admin_log::write(spi, "set_pace", Some(account), Some("pace"), change, note);
    Ok(())
}

fn show(pace: &Pace) -> Value {
    if *pace == Pace::default() {
        return Value::Null;
    }
    let seconds = pace.minimum_gap as f64 / SECOND as f64;
    json!({ "minimum_gap_seconds": seconds, "jitter_percent": pace.jitter_percent, "spread": pace.spread })
}
