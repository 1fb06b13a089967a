//! Settles an operation as failed: what `rollback`, `rollback_many`, `resolve_operation` and `settle_send` share.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result, warn};
use crate::postgres::ids;
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::breaker_log::{self, BreakerLine};
use crate::tables::config;
use crate::tables::enrollments;
use crate::tables::journal::{self, ErrorNote, JournalRow, cut};
use sendgate_decision::account::Account;
use sendgate_decision::classify::{ProviderError, Rule, classify};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{OperationId, OperationState, Outcome};
use sendgate_decision::settle::{Settled, fail};
use serde_json::json;

/// Longest `retry_after` in days: a provider that asks for more than a year means for ever.
pub const RETRY_AFTER_DAYS_MAX: i64 = 366;

/// Settles an operation as failed; holds its account.
pub fn settle_failed(
    spi: &Spi,
    account: &str,
    operation: OperationId,
    error: &ProviderError<'_>,
    cooldown: i64,
) -> Result<Outcome> {
    let (held, before) = accounts::hold(spi, account)?;
    let row = journal::read(spi, account, operation)?;
    let now = clock::now();
    let config = config::current(spi);
    let failure = match plan(&config.rules, &before.account, &row, error, cooldown, now)? {
        Planned::Repeated(outcome) => return Ok(outcome),
        Planned::Failed(failure) => failure,
    };
    let settled = &failure.settled;
    journal::settle(spi, held, &row.operation, settled.state, settled.outcome, &failure.note, now)?;
    if settled.account != before.account {
        accounts::write_held(spi, held, before.version, &settled.account)?;
    }
    log_failure(spi, held, &row, &before.account, &failure, now);
    enrollments::failed(spi, held, &row, failure.outcome, &settled.account, &failure.note, now);
    offer_permit(spi, held, &row, &before.account, &settled.account, now);
    Ok(failure.outcome)
}

/// What a failed attempt comes to.
pub enum Planned {
    /// It is settled already, or stays unknown; nothing changes.
    Repeated(Outcome),
    /// It is settled now.
    Failed(Box<Failure>),
}

/// A failed attempt.
pub struct Failure {
    /// What the classifier made of it.
    pub outcome: Outcome,
    /// Account and operation afterwards.
    pub settled: Settled,
    /// What the journal notes.
    pub note: ErrorNote,
}

/// Decides what a failed attempt changes.
///
/// # Errors
/// `SG203` when it was delivered.
pub fn plan(
    rules: &[Rule],
    account: &Account,
    row: &JournalRow,
    error: &ProviderError<'_>,
    cooldown: i64,
    now: Instant,
) -> Result<Planned> {
    let op = &row.operation;
    let outcome = classify(rules, op.action, error);
    match op.state {
        OperationState::Delivered => return Err(delivered(op.id)),
        OperationState::Released => return Ok(Planned::Repeated(op.outcome.unwrap_or(Outcome::Released))),
        OperationState::Indeterminate if outcome == Outcome::Released => {
            warn_unknown(op.id);
            return Ok(Planned::Repeated(Outcome::Indeterminate));
        }
        OperationState::Indeterminate if outcome == Outcome::Indeterminate => {
            return Ok(Planned::Repeated(outcome));
        }
        OperationState::Indeterminate | OperationState::Reserved => {}
    }
    let settled = fail(account, op, outcome, cooldown, now);
    let note = ErrorNote {
        message: error.message.map(cut),
        error_type: error.error_type.map(cut),
        http_status: error.http_status,
    };
    Ok(Planned::Failed(Box::new(Failure { outcome, settled, note })))
}

/// Logs what a failure did to the breaker and to the account's status.
pub fn log_failure(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    before: &Account,
    failure: &Failure,
    now: Instant,
) {
    let after = &failure.settled.account;
    let line = BreakerLine {
        account,
        reason: failure.outcome.name(),
        exhausted_at: None,
        prospect: Some(&row.prospect),
        campaign: row.campaign.as_deref(),
        note: None,
    };
    let stamps = (before.breaker.exhausted_at, after.breaker.exhausted_at);
    breaker_log::write_changes(spi, &failure.settled.breaker, stamps.0, stamps.1, &line, now);
    if before.status != after.status {
        let change = (json!(before.status.name()), json!(after.status.name()));
        admin_log::write(
            spi,
            "rollback",
            Some(account.id()),
            Some("status"),
            change,
            failure.note.message.as_deref(),
        );
    }
}

/// A probe that said nothing about credits gave its permit back: other work may take it.
pub fn offer_permit(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    before: &Account,
    after: &Account,
    now: Instant,
) {
    if before.breaker.is_probe(&row.operation.id) && after.breaker.has_permit(now) {
        enrollments::offer(spi, account, now);
    }
}

fn delivered(operation: OperationId) -> Error {
    Error::new(
        Code::AlreadyDelivered,
        format!("operation {} was delivered and cannot be rolled back", ids::show(operation)),
        "What was sent keeps its slot: the operation was confirmed, or an operator settled it as sent.",
        "Nothing is to be done. If the worker retried after a lost answer, the first call counted.",
    )
}

fn warn_unknown(operation: OperationId) {
    warn(Error::new(
        Code::OutcomeStaysUnknown,
        format!("operation {} stays indeterminate: its slot is held", ids::show(operation)),
        "Its outcome is unknown, and a rollback without an error does not prove that it was never sent.",
        "Pass the provider's error, confirm it, or let an operator settle it with resolve_operation.",
    ));
}
