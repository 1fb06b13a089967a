//! `rollback`: gives a slot back, or keeps it taken if the outcome is unknown.

use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::gucs;
use crate::postgres::param::IntoParam;
use crate::postgres::statement::Spi;
use crate::settle::failure::{RETRY_AFTER_DAYS_MAX, settle_failed};
use sendgate_decision::classify::ProviderError;

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
    let cooldown = retry_after.unwrap_or_else(gucs::rate_limit_cooldown);
    let outcome = Spi::connect(|spi| settle_failed(spi, account, operation, &error, cooldown))?;
    Ok(outcome.name().param())
}
