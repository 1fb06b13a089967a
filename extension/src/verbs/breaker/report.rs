//! `breaker_report`: tells the breaker what the provider answered to an InMail that was sent without
//! the gate.

use sendgate_decision::breaker::ClearReason;
use sendgate_decision::classify::{ProviderError, classify};
use sendgate_decision::names::{Action, Outcome};
use sendgate_decision::settle::BreakerChange;

use crate::account_row;
use crate::clock;
use crate::config;
use crate::entry::{Answer, Args, sql_function};
use crate::error::Result;
use crate::journal;
use crate::log::{self, BreakerLine};
use crate::statement::{IntoParam, Spi};

sql_function!(sendgate_breaker_report, pg_finfo_sendgate_breaker_report, breaker_report);

fn breaker_report(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let prospect = args.id(1, "prospect_id")?;
    let error = ProviderError {
        message: args.optional(2),
        error_type: args.optional(3),
        http_status: args.optional(4),
    };
    if error.message.is_none() && error.error_type.is_none() && error.http_status.is_none() {
        return Err(crate::entry::null_argument("error_message"));
    }
    let outcome = Spi::connect(|spi| report(spi, account, prospect, &error))?;
    Ok(outcome.name().param())
}

fn report(spi: &Spi, account: &str, prospect: &str, error: &ProviderError<'_>) -> Result<Outcome> {
    let outcome = classify(&config::current(spi).rules, Action::Inmail, error);
    if outcome != Outcome::CreditsExhausted {
        account_row::read(spi, account)?;
        return Ok(outcome);
    }
    let held = account_row::hold(spi, account)?;
    let now = clock::now();
    let mut after = held.account.rolled(now);
    let Some(armed) = after.breaker.arm(after.credit_reset_day, now, now) else {
        return Ok(outcome);
    };
    account_row::write_held(spi, account, held.version, &after)?;
    let mut changes = Vec::new();
    if armed.cleared_lapsed {
        changes.push(BreakerChange::Clear(ClearReason::MonthlyReset));
    }
    changes.push(BreakerChange::Set);
    let note = error.message.map(journal::cut);
    let line = BreakerLine {
        account,
        reason: outcome.name(),
        exhausted_at: None,
        prospect: Some(prospect),
        campaign: None,
        note: note.as_deref(),
    };
    let stamps = (held.account.breaker.exhausted_at, after.breaker.exhausted_at);
    log::breaker_changes(spi, &changes, stamps.0, stamps.1, &line, now);
    Ok(outcome)
}
