//! `settle_send`: settles a row's operation when its outcome appears in the row.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, check_text, is_blank, sql_function};
use crate::postgres::statement::Spi;
use crate::postgres::trigger::{Column, Fired};
use crate::settle::delivery::{Report, settle_delivered};
use crate::settle::failure::{self, settle_failed};
use crate::tables::journal::ErrorNote;
use crate::triggers::guard::declared::{Usage, operation_id, required_id};
use sendgate_decision::answer::ProviderError;
use sendgate_decision::names::OperationId;

sql_function!(sendgate_settle_send, pg_finfo_sendgate_settle_send, settle_send);

static USAGE: Usage = Usage {
    function: "settle_send",
    timing: "AFTER UPDATE FOR EACH ROW",
    arguments: &["account_column", "operation_id_column", "chat_id_column", "error_column"],
};

/// What PostgreSQL does with the answer of a trigger that comes after: nothing.
const IGNORED: Answer = Ok(Some(pgrx::pg_sys::Datum::null()));

fn settle_send(args: &Args) -> Answer {
    let fired = Fired::of(args);
    let Some(fired) = fired.as_ref().filter(|fired| fired.is_after_update()) else {
        return Err(USAGE.misfired(fired.as_ref()));
    };
    let names = USAGE.arguments(fired)?;
    let column = |i: usize| -> Result<Column> {
        let column = USAGE.column(fired, USAGE.arguments[i], &names[i])?;
        // One that is stored is computed by now; a virtual one is in no row.
        if column.generated == b'v' {
            USAGE.plain_column(fired, USAGE.arguments[i], &names[i])
        } else {
            Ok(column)
        }
    };
    let (account, operation) = (column(0)?, column(1)?);
    let (chat_id, error) = (appeared(fired, column(2)?), appeared(fired, column(3)?));
    if chat_id.is_none() && error.is_none() {
        return IGNORED;
    }
    let after = fired.after();
    let Some(operation) = operation_id(&after, operation, &names[1])? else {
        return IGNORED;
    };
    let account = required_id(&after, account, "account_id", &names[0])?;
    match (chat_id, error) {
        (Some(chat_id), _) => confirm(&account, operation, &chat_id),
        (None, Some(error)) => roll_back(&account, operation, &error),
        (None, None) => Ok(()),
    }?;
    IGNORED
}

/// What an update put into a column: a text that is not blank, and was not there before.
fn appeared(fired: &Fired<'_>, column: Column) -> Option<String> {
    let text = fired.after().text(column).filter(|text| !is_blank(text))?;
    (fired.before().text(column).as_deref() != Some(&text)).then_some(text)
}

fn confirm(account: &str, operation: OperationId, chat_id: &str) -> Result<()> {
    let chat_id = Some(check_text(chat_id, "chat_id", TEXT_CHARACTERS_MAX)?);
    let report =
        Report { account, operation, chat_id, delivered_at: None, event_follows: false, by_operator: false };
    Spi::connect(|spi| settle_delivered(spi, &report, &ErrorNote::default()).map(drop))
}

fn roll_back(account: &str, operation: OperationId, error: &str) -> Result<()> {
    let error = ProviderError { message: Some(error), error_type: None, http_status: None };
    let report = failure::Report { error, retry_after: None };
    Spi::connect(|spi| settle_failed(spi, account, operation, &report).map(drop))
}
