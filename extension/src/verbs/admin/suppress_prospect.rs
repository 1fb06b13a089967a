//! `suppress_prospect` and `unsuppress_prospect`: whom no account may write to. No account is held to suppress, unless an end comes
//! sooner than before: a decision looks at the list by itself, and looks again where the list has changed meanwhile.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, show_instant, sql_function};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::enrollments::of_prospect;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::EnrollmentState;
use serde_json::{Value, json};

sql_function!(sendgate_suppress_prospect, pg_finfo_sendgate_suppress_prospect, suppress_prospect);
sql_function!(sendgate_unsuppress_prospect, pg_finfo_sendgate_unsuppress_prospect, unsuppress_prospect);

static HOLD: Statement = Statement::new(
    "SELECT s.until FROM sendgate.suppressions s WHERE s.prospect_id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
    types![text],
);

/// One that still lasts keeps its beginning, so that what it spared is not noted anew.
static SUPPRESS: Statement = Statement::new(
    "INSERT INTO sendgate.suppressions AS s (suppressed_at, until, prospect_id, actor, note)
     VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (prospect_id) DO UPDATE
     SET suppressed_at = CASE WHEN s.until OPERATOR(pg_catalog.<=) $1 THEN $1 ELSE s.suppressed_at END,
         until = EXCLUDED.until, actor = EXCLUDED.actor, note = EXCLUDED.note",
    types![instant, instant, text, text, text],
);

static UNSUPPRESS: Statement = Statement::new(
    "DELETE FROM sendgate.suppressions s WHERE s.prospect_id OPERATOR(pg_catalog.=) $1",
    types![text],
);

/// As the admin log has it.
fn logged(until: Option<Instant>) -> Value {
    until.map_or(json!("suppressed"), |until| json!(format!("suppressed until {}", show_instant(until))))
}

fn suppress_prospect(args: &Args) -> Answer {
    let prospect = args.id(0, "prospect_id")?;
    let note = args.note(1)?;
    let until = args.optional_instant(2, "until")?;
    Spi::connect(|spi| suppress(spi, prospect, note, until))?;
    VOID
}

fn suppress(spi: &Spi, prospect: &str, note: Option<&str>, until: Option<Instant>) -> Result<()> {
    let before = spi.run_waiting(&HOLD, params![prospect])?.first().map(|mut row| row.nullable_instant());
    let now = clock::now();
    if let Some(until) = until.filter(|&until| until <= now) {
        return Err(is_over(until, now));
    }
    commit::synchronously();
    spi.run_waiting(&SUPPRESS, params![now, until, prospect, &actor::name(), note])?
        .must_be(1, "suppressions");
    // Work waits until the end as it was. An end that comes sooner makes it due, and dispatch looks again.
    if let (Some(Some(earlier)), Some(until)) = (before, until)
        && until < earlier
    {
        release(spi, prospect)?;
    }
    let change = (before.map_or(Value::Null, logged), logged(until));
    admin_log::write(spi, "suppress_prospect", None, Some(prospect), change, note);
    Ok(())
}

fn unsuppress_prospect(args: &Args) -> Answer {
    let prospect = args.id(0, "prospect_id")?;
    let note = args.note(1)?;
    Spi::connect(|spi| unsuppress(spi, prospect, note))?;
    VOID
}

/// Ends a suppression. Work that waits until its end is due now.
fn unsuppress(spi: &Spi, prospect: &str, note: Option<&str>) -> Result<()> {
    let Some(mut row) = spi.run_waiting(&HOLD, params![prospect])?.first() else {
        return Ok(());
    };
    spi.run(&UNSUPPRESS, params![prospect]).must_be(1, "suppressions");
    let until = row.nullable_instant();
    release(spi, prospect)?;
    let change = (logged(until), Value::Null);
    admin_log::write(spi, "unsuppress_prospect", None, Some(prospect), change, note);
    Ok(())
}

/// Makes the work due that waits for the end of a suppression, account by account.
fn release(spi: &Spi, prospect: &str) -> Result<()> {
    for account in of_prospect::accounts(spi, prospect, &[EnrollmentState::Waiting]) {
        // A dispatch that still saw the suppression keeps the account until its work is postponed.
        let (held, _) = accounts::hold(&account)?;
        of_prospect::release(spi, held, prospect, clock::now());
    }
    Ok(())
}

fn is_over(until: Instant, now: Instant) -> Error {
    Error::new(
        Code::TimeOutOfRange,
        format!("until is not ahead: {}", show_instant(until)),
        format!("It is {} now, so the suppression would never have refused.", show_instant(now)),
        "Pass an instant to come, leave it out to suppress for good, or call unsuppress_prospect.",
    )
}
