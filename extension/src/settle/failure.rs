//! Settles an operation as failed: what `rollback`, `rollback_many`, `resolve_operation` and `settle_send` share.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result, warn};
use crate::postgres::function::shown;
use crate::postgres::gucs;
use crate::postgres::ids;
use crate::postgres::statement::Spi;
use crate::settle::cooldowns;
use crate::settle::known_credits;
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::admin_log;
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::config;
use crate::tables::cooldown_log::Why;
use crate::tables::credits;
use crate::tables::enrollments;
use crate::tables::journal::{self, ErrorNote, JournalRow, cut};
use pgrx::datum::Interval;
use sendgate_decision::account::Account;
use sendgate_decision::answer::{Answer, ProviderError};
use sendgate_decision::classify::{self, Rule, classify};
use sendgate_decision::clock::{Instant, SECOND};
use sendgate_decision::names::{OperationId, OperationState, Outcome};
use sendgate_decision::settle::{Failure, Settled, fail_among};
use serde_json::json;

/// A failed attempt as the caller reports it.
pub struct Report<'a> {
    /// What the provider answered.
    pub error: ProviderError<'a>,
    /// How long the provider asks to wait, in microseconds, 0 to 366 days; none where it does not say, or
    /// says something senseless.
    pub retry_after: Option<i64>,
}

/// A `retry_after` in microseconds; none, with the warning `SG220`, for one that makes no sense: what the
/// provider said about the send is not lost over it.
pub fn sensible_wait(retry_after: Interval) -> Option<i64> {
    let (months, days, micros) = (retry_after.months(), retry_after.days(), retry_after.micros());
    sensible(months, days, micros, || format!("{months} months, {days} days and {micros} microseconds"))
}

/// The same for a number of seconds, as the header `Retry-After` has it.
pub fn sensible_seconds(retry_after: &str) -> Option<i64> {
    // Beyond the range of i64 the nearest number is as senseless.
    let micros = retry_after.trim().parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    let micros = micros.map_or(-1, |seconds| (seconds * SECOND as f64).round() as i64);
    sensible(0, 0, micros, || format!("\"{}\"", shown(retry_after)))
}

fn sensible(months: i32, days: i32, micros: i64, what: impl FnOnce() -> String) -> Option<i64> {
    let wait = classify::sensible_wait(months, days, micros);
    if wait.is_none() {
        warn(Error::new(
            Code::SenselessWait,
            format!("retry_after makes no sense: {}", what()),
            format!(
                "It is taken as not given. Allowed are 0 to {} days without months.",
                classify::WAIT_DAYS_MAX
            ),
            "Pass the provider's Retry-After in seconds, or leave it out.",
        ));
    }
    wait
}

/// Settles an operation as failed; holds its account.
pub fn settle_failed(
    spi: &Spi,
    account: &str,
    operation: OperationId,
    report: &Report<'_>,
) -> Result<Outcome> {
    let (held, mut before) = accounts::hold(account)?;
    let row = journal::read(account, operation)?;
    let now = clock::now();
    credits::roll(spi, account, &mut before, now);
    let in_flight = || credits::others_unanswered(spi, account, before.account.credits, Some(operation), now);
    let config = config::current(spi);
    let failed = match plan(&config.rules, &before.account, &row, report, in_flight, now)? {
        Planned::Repeated(outcome) => return Ok(outcome),
        Planned::Failed(failed) => failed,
    };
    let settled = &failed.settled;
    journal::settle(spi, held, &row.operation, settled.state, settled.outcome, &failed.note, now)?;
    if settled.account != before.account {
        accounts::write_held(spi, held, before.version, &settled.account)?;
    }
    log_failure(spi, held, &row, &before.account, &failed, now);
    enrollments::failed(spi, held, &row, &failed.failure, &settled.account, &failed.note, now);
    offer_permit(spi, held, &row, &before.account, &settled.account, now);
    Ok(failed.failure.outcome)
}

/// What a failed attempt comes to.
pub enum Planned {
    /// It is settled already, or stays unknown; nothing changes.
    Repeated(Outcome),
    /// It is settled now.
    Failed(Box<Failed>),
}

/// A failed attempt.
pub struct Failed {
    /// What the classifier made of it.
    pub failure: Failure,
    /// Account and operation afterwards.
    pub settled: Settled,
    /// What the journal notes.
    pub note: ErrorNote,
}

/// Decides what a failed attempt changes. `in_flight` counts the InMails in flight beside it; it is only asked
/// where the provider found no credits.
///
/// # Errors
/// `SG203` when it was delivered.
pub fn plan(
    rules: &[Rule],
    account: &Account,
    row: &JournalRow,
    report: &Report<'_>,
    in_flight: impl FnOnce() -> i32,
    now: Instant,
) -> Result<Planned> {
    let (op, error) = (&row.operation, &report.error);
    let answer = Answer::read(error);
    let classified = classify(rules, op.action, &answer);
    let outcome = classified.outcome;
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
    let wait = classified.wait(report.retry_after, gucs::rate_limit_cooldown());
    let failure = Failure { outcome, scope: classified.scope, wait };
    let others = if outcome == Outcome::CreditsExhausted { in_flight() } else { 0 };
    let settled = fail_among(account, op, &failure, &gucs::limits(), others, now);
    let note = ErrorNote {
        message: error.message.map(cut),
        error_type: answer.error_type.as_deref().map(cut),
        http_status: answer.http_status,
    };
    Ok(Planned::Failed(Box::new(Failed { failure, settled, note })))
}

/// Logs what a failure did to the breaker, to cooldowns and to the account's status.
pub fn log_failure(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    before: &Account,
    failed: &Failed,
    now: Instant,
) {
    let after = &failed.settled.account;
    let line = BreakerLine {
        account,
        reason: failed.failure.outcome.name(),
        exhausted_at: None,
        prospect: Some(&row.prospect),
        campaign: row.campaign.as_deref(),
        note: None,
        cause: Cause {
            operation: Some(row.operation.id),
            http_status: failed.note.http_status,
            error_type: failed.note.error_type.as_deref(),
        },
    };
    let stamps = (before.breaker.exhausted_at, after.breaker.exhausted_at);
    breaker_log::write_changes(spi, &failed.settled.breaker, stamps.0, stamps.1, &line, now);
    known_credits::wake(spi, account, before, &failed.settled, now);
    let (operation, error) = (Some(row.operation.id), Some(&failed.note));
    cooldowns::tell(
        spi,
        account,
        after,
        &failed.settled.cooldowns,
        Why { operation, error, note: None },
        now,
    );
    if failed.failure.outcome == Outcome::ActionUnavailable {
        cooldowns::tell_unavailable(spi, account, row.operation.action, &failed.note, after.day, now);
    }
    if before.status != after.status {
        let change = (json!(before.status.name()), json!(after.status.name()));
        let text = failed.note.message.as_deref();
        admin_log::write_answer(spi, account.id(), change, text, row.operation.id);
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
        "A sent message keeps its slot: the operation was confirmed, or an operator settled it as sent.",
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
