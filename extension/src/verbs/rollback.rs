//! `rollback`: gives a slot back, or keeps it taken if the outcome is unknown.

use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::IntoParam;
use crate::postgres::statement::Spi;
use crate::settle::failure::{Report, sensible_wait, settle_failed};
use sendgate_decision::answer::ProviderError;

sql_function!(sendgate_rollback, pg_finfo_sendgate_rollback, rollback);

fn rollback(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let operation = args.uuid(1, "operation_id")?;
    let error = ProviderError {
        message: args.optional(2),
        error_type: args.optional(3),
        http_status: args.optional(4),
    };
    let report = Report { error, retry_after: args.optional(5).and_then(sensible_wait) };
    let outcome = Spi::connect(|spi| settle_failed(spi, account, operation, &report))?;
    Ok(outcome.name().param())
}
