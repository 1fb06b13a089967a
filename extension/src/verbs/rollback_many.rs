//! `rollback_many`: a batch of failures with their errors, all of them or none, in one statement a table.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::param::{Element, array};
use crate::postgres::statement::Spi;
use crate::settle::batch::{Batch, Keys, at};
use crate::settle::failure::{Planned, Report, log_failure, plan, sensible_wait};
use crate::tables::accounts::held::Held;
use crate::tables::config;
use crate::tables::enrollments;
use pgrx::datum::Interval;
use sendgate_decision::answer::ProviderError;
use sendgate_decision::names::Outcome;

sql_statements!(sendgate_rollback_many, pg_finfo_sendgate_rollback_many, rollback_many);

/// The errors of a batch, each array as long as the keys.
struct Errors {
    messages: Vec<Option<String>>,
    types: Vec<Option<String>>,
    statuses: Vec<Option<i32>>,
    retry_afters: Vec<Option<i64>>,
}

impl Errors {
    fn read(args: &Args, keys: &Keys) -> Result<Errors> {
        let messages: Option<Vec<Option<String>>> = args.optional(2);
        let types: Option<Vec<Option<String>>> = args.optional(3);
        let statuses: Option<Vec<Option<i32>>> = args.optional(4);
        let waits: Option<Vec<Option<Interval>>> = args.optional(5);
        Ok(Errors {
            messages: keys.optional(messages, "error_messages")?,
            types: keys.optional(types, "error_types")?,
            statuses: keys.optional(statuses, "http_statuses")?,
            retry_afters: keys
                .optional(waits, "retry_afters")?
                .into_iter()
                .map(|wait| wait.and_then(sensible_wait))
                .collect(),
        })
    }

    /// No error at all: none of them was ever sent.
    fn none(keys: &Keys) -> Errors {
        let length = keys.accounts.len();
        Errors {
            messages: vec![None; length],
            types: vec![None; length],
            statuses: vec![None; length],
            retry_afters: vec![None; length],
        }
    }

    fn of(&self, i: usize) -> Report<'_> {
        let error = ProviderError {
            message: self.messages[i].as_deref(),
            error_type: self.types[i].as_deref(),
            http_status: self.statuses[i],
        };
        Report { error, retry_after: self.retry_afters[i] }
    }
}

fn rollback_many(args: &Args) -> Answer {
    let keys = Keys::read(args)?;
    let errors = Errors::read(args, &keys)?;
    let outcomes = Spi::connect(|spi| settle(spi, &keys, &errors))?;
    Ok(array(Element::Text, outcomes.iter().map(|outcome| outcome.name())))
}

/// Gives the slots of operations back that were never sent.
pub fn give_back(spi: &Spi, keys: &Keys) -> Result<()> {
    settle(spi, keys, &Errors::none(keys)).map(drop)
}

fn settle(spi: &Spi, keys: &Keys, errors: &Errors) -> Result<Vec<Outcome>> {
    let mut batch = Batch::hold(spi, keys)?;
    let config = config::current(spi);
    let mut outcomes = Vec::with_capacity(keys.accounts.len());
    let mut probes = Vec::new();
    for i in 0..keys.accounts.len() {
        let row = batch.row(i);
        let in_flight = || batch.others_unanswered(i);
        let planned = plan(&config.rules, batch.account(i), row, &errors.of(i), in_flight, batch.now);
        let failed = match at(i, planned)? {
            Planned::Repeated(outcome) => {
                outcomes.push(outcome);
                continue;
            }
            Planned::Failed(failed) => failed,
        };
        log_failure(spi, batch.held(i), row, batch.account(i), &failed, batch.now);
        if batch.account(i).breaker.is_probe(&row.operation.id) {
            probes.push(i);
        }
        let failure = failed.failure;
        outcomes.push(failure.outcome);
        let error = failed.note.message.clone().or_else(|| failed.note.error_type.clone());
        // The others do not look at it.
        let matters = matches!(failure.outcome, Outcome::CreditsExhausted | Outcome::Transient);
        let after = matters.then(|| Box::new(failed.settled.account.clone()));
        batch.enrollment(i, Some(failure), error, after);
        let (settled, note) = (failed.settled, failed.note);
        let changed = (settled.account != *batch.account(i)).then_some(settled.account);
        batch.settle(i, settled.state, settled.outcome, note, changed);
    }
    let now = batch.now;
    let offers: Vec<Held<'_>> = probes
        .iter()
        .filter(|&&i| batch.account(i).breaker.has_permit(now))
        .map(|&i| batch.held(i))
        .collect();
    batch.write();
    for account in offers {
        enrollments::offer(spi, account, now);
    }
    Ok(outcomes)
}
