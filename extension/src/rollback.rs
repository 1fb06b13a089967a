//! `rollback`: gives a slot back, or holds it where nobody knows whether it was used.

use sendgate_decision::classify::{ProviderError, classify};
use sendgate_decision::names::{OperationState, Outcome};
use sendgate_decision::settle::fail;
use serde_json::json;

use crate::account_row;
use crate::clock;
use crate::config;
use crate::entry::{Answer, Args, sql_function};
use crate::error::{Code, Error, Result, warn};
use crate::journal::{self, ErrorNote, cut};
use crate::log::{self, BreakerLine};
use crate::settings;
use crate::statement::{IntoParam, Spi};

/// Longest `retry_after` in days: a provider that asks for more than a year means for ever.
const RETRY_AFTER_DAYS_MAX: i64 = 366;

sql_function!(sendgate_rollback, pg_finfo_sendgate_rollback, rollback);

fn rollback(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let operation = args.uuid(1, "operation_id")?;
    let error = ProviderError {
        message: args.optional(2),
        error_type: args.optional(3),
        http_status: args.optional(4),
    };
    let retry_after = args.optional_interval(5, "retry_after", RETRY_AFTER_DAYS_MAX)?;
    let cooldown = retry_after.unwrap_or_else(settings::rate_limit_cooldown);
    let outcome = Spi::connect(|spi| settle_failed(spi, account, operation, &error, cooldown))?;
    Ok(outcome.name().param())
}

fn settle_failed(
    spi: &Spi,
    account: &str,
    operation: [u8; 16],
    error: &ProviderError<'_>,
    cooldown: i64,
) -> Result<Outcome> {
    let held = account_row::hold(spi, account)?;
    let row = journal::read(spi, account, operation)?;
    let op = &row.operation;
    let outcome = classify(&config::current(spi).rules, op.action, error);
    match op.state {
        OperationState::Delivered => return Err(delivered(operation)),
        OperationState::Released => return Ok(op.outcome.unwrap_or(Outcome::Released)),
        OperationState::Indeterminate if outcome == Outcome::Released => {
            warn_unknown(operation);
            return Ok(Outcome::Indeterminate);
        }
        OperationState::Indeterminate if outcome == Outcome::Indeterminate => return Ok(outcome),
        OperationState::Indeterminate | OperationState::Reserved => {}
    }
    let now = clock::now();
    let settled = fail(&held.account, op, outcome, cooldown, now);
    let note = ErrorNote {
        message: error.message.map(cut),
        error_type: error.error_type.map(cut),
        http_status: error.http_status,
    };
    journal::settle(spi, account, op, settled.state, settled.outcome, &note, now);
    if settled.account != held.account {
        account_row::write_held(spi, account, held.version, &settled.account)?;
    }
    let (before, after) = (&held.account, &settled.account);
    let line = BreakerLine {
        account,
        reason: outcome.name(),
        exhausted_at: None,
        prospect: Some(&row.prospect),
        campaign: row.campaign.as_deref(),
        note: None,
    };
    let stamps = (before.breaker.exhausted_at, after.breaker.exhausted_at);
    log::breaker_changes(spi, &settled.breaker, stamps.0, stamps.1, &line, now);
    if before.status != after.status {
        let change = (json!(before.status.name()), json!(after.status.name()));
        log::admin(spi, "rollback", Some(account), Some("status"), change, note.message.as_deref());
    }
    Ok(outcome)
}

fn delivered(operation: [u8; 16]) -> Error {
    Error::new(
        Code::AlreadyDelivered,
        format!("operation {} was delivered and cannot be rolled back", journal::show(operation)),
        "What was sent keeps its slot: the operation was confirmed, or an operator settled it as sent.",
        "Nothing is to be done. If the worker retried after a lost answer, the first call counted.",
    )
}

fn warn_unknown(operation: [u8; 16]) {
    warn(Error::new(
        Code::OutcomeStaysUnknown,
        format!("operation {} stays indeterminate: its slot is held", journal::show(operation)),
        "Its outcome is unknown, and a rollback without an error does not prove that it was never sent.",
        "Pass the provider's error, confirm it, or let an operator settle it with resolve_operation.",
    ));
}
