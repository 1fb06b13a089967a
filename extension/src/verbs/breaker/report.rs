//! `breaker_report`: tells the breaker what the provider answered to an InMail that was sent without
//! the gate.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer as SqlAnswer, Args, null_argument, sql_function};
use crate::postgres::param::IntoParam;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::config;
use crate::tables::credits;
use crate::tables::journal;
use sendgate_decision::answer::{Answer, ProviderError};
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::classify::classify;
use sendgate_decision::credits::stamp::Cause as StampedBy;
use sendgate_decision::names::{Action, Outcome};
use sendgate_decision::settle::BreakerChange;

sql_function!(sendgate_breaker_report, pg_finfo_sendgate_breaker_report, breaker_report);

fn breaker_report(args: &Args) -> SqlAnswer {
    let account = args.id(0, "account_id")?;
    let prospect = args.id(1, "prospect_id")?;
    let error = ProviderError {
        message: args.optional(2),
        error_type: args.optional(3),
        http_status: args.optional(4),
    };
    if error.message.is_none() && error.error_type.is_none() && error.http_status.is_none() {
        return Err(null_argument("error_message"));
    }
    let outcome = Spi::connect(|spi| report(spi, account, prospect, &error))?;
    Ok(outcome.name().param())
}

fn report(spi: &Spi, account: &str, prospect: &str, error: &ProviderError<'_>) -> Result<Outcome> {
    let answer = Answer::read(error);
    let outcome = classify(&config::current(spi).rules, Action::Inmail, &answer).outcome;
    if outcome != Outcome::CreditsExhausted {
        accounts::read(account)?;
        return Ok(outcome);
    }
    let (held, mut row) = accounts::hold(account)?;
    let now = clock::now();
    credits::roll(spi, account, &mut row, now);
    let mut after = row.account.rolled(now);
    // The InMail that was refused is not among those that are counted.
    let others = credits::others_unanswered(spi, account, after.credits, None, now).saturating_sub(1);
    let cause = StampedBy::provider(after.credits.as_ref(), others);
    let armed = after.breaker.arm_for(cause, after.credit_reset_day, now, now);
    if armed.is_none() {
        after.breaker.cause = after.breaker.cause.and_provider(after.credits.as_ref(), others);
    }
    if let Some(credits) = &mut after.credits {
        credits.exhausted(now, after.credit_reset_day, now);
    }
    if after != row.account {
        accounts::write_held(spi, held, row.version, &after)?;
    }
    let Some(armed) = armed else {
        return Ok(outcome);
    };
    let mut changes = Vec::new();
    if armed.cleared_lapsed {
        changes.push(BreakerChange::Clear(ClearReason::MonthlyReset));
    }
    changes.push(BreakerChange::Set);
    let note = error.message.map(journal::cut);
    let error_type = answer.error_type.as_deref().map(journal::cut);
    let line = BreakerLine {
        account: held,
        reason: outcome.name(),
        exhausted_at: None,
        prospect: Some(prospect),
        campaign: None,
        note: note.as_deref(),
        cause: Cause { operation: None, http_status: answer.http_status, error_type: error_type.as_deref() },
    };
    let stamps = (row.account.breaker.exhausted_at, after.breaker.exhausted_at);
    breaker_log::write_changes(spi, &changes, stamps.0, stamps.1, &line, now);
    Ok(outcome)
}
