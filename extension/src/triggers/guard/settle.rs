//! `settle_send`: settles a row's operation when its outcome appears in the row.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, check_text, is_blank, sql_function};
use crate::postgres::param::Param;
use crate::postgres::statement::Spi;
use crate::postgres::trigger::{Column, Declared, Fired, TableRow, input};
use crate::settle::delivery::{Report, settle_delivered};
use crate::settle::failure::{self, sensible_seconds, sensible_wait, settle_failed};
use crate::tables::journal::ErrorNote;
use crate::triggers::guard::declared::{Usage, is_text, operation_id, required_id};
use pgrx::datum::Interval;
use pgrx::{FromDatum, pg_sys};
use sendgate_decision::answer::ProviderError;
use sendgate_decision::names::OperationId;

sql_function!(sendgate_settle_send, pg_finfo_sendgate_settle_send, settle_send);

/// The function's name.
pub(super) const FUNCTION: &str = "settle_send";

static USAGE: Usage = Usage {
    function: FUNCTION,
    timing: "AFTER UPDATE FOR EACH ROW",
    moments: (pg_sys::TRIGGER_TYPE_ROW, pg_sys::TRIGGER_TYPE_UPDATE),
    arguments: &[
        "account_column",
        "operation_id_column",
        "chat_id_column",
        "error_column",
        "error_type_column",
        "http_status_column",
        "retry_after_column",
    ],
    needed: 4,
};

/// What PostgreSQL does with the answer of a trigger that comes after: nothing.
const IGNORED: Answer = Ok(Some(pg_sys::Datum::null()));

/// A trigger's arguments, looked up in its table.
pub(super) struct Settling {
    names: Vec<String>,
    account: Column,
    /// Where the operation id is.
    pub operation: Column,
    chat_id: Column,
    error: Column,
    error_type: Option<Column>,
    http_status: Option<Column>,
    retry_after: Option<Column>,
}

impl Settling {
    /// Judges a declaration.
    pub fn of(declared: &Declared<'_>) -> Result<Settling> {
        let names = USAGE.arguments(declared)?;
        let column = |i: usize| -> Result<Column> {
            let column = USAGE.column(declared, USAGE.arguments[i], &names[i])?;
            // One that is stored is computed by now; a virtual one is in no row.
            if column.generated == b'v' {
                USAGE.plain_column(declared, USAGE.arguments[i], &names[i])
            } else {
                Ok(column)
            }
        };
        let optional = |i: usize| if names[i].is_empty() { Ok(None) } else { column(i).map(Some) };
        let (account, operation, chat_id, error) = (column(0)?, column(1)?, column(2)?, column(3)?);
        USAGE.only_use(USAGE.arguments[2], &names[2], chat_id, &[account, operation])?;
        USAGE.only_use(USAGE.arguments[3], &names[3], error, &[account, operation, chat_id])?;
        let (error_type, http_status, retry_after) = (optional(4)?, optional(5)?, optional(6)?);
        if http_status.is_some_and(|column| !is_number(column)) {
            let types = "smallint, integer, bigint, numeric or text";
            return Err(USAGE.wrong_type(USAGE.arguments[5], &names[5], "that holds no HTTP status", types));
        }
        if retry_after.is_some_and(|column| !is_wait(column)) {
            let types = "interval, or a number of seconds: integer, numeric, double precision or text";
            return Err(USAGE.wrong_type(USAGE.arguments[6], &names[6], "that holds no wait", types));
        }
        Ok(Settling { names, account, operation, chat_id, error, error_type, http_status, retry_after })
    }
}

/// Whether the values are whole numbers, as numbers or as text.
fn is_number(column: Column) -> bool {
    matches!(
        column.base_type(),
        pg_sys::INT2OID
            | pg_sys::INT4OID
            | pg_sys::INT8OID
            | pg_sys::NUMERICOID
            | pg_sys::TEXTOID
            | pg_sys::VARCHAROID
            | pg_sys::BPCHAROID
    )
}

fn is_wait(column: Column) -> bool {
    is_number(column)
        || matches!(column.base_type(), pg_sys::INTERVALOID | pg_sys::FLOAT4OID | pg_sys::FLOAT8OID)
}

fn settle_send(args: &Args) -> Answer {
    let fired = &USAGE.fired(args)?;
    let settling = Settling::of(&fired.declared())?;
    let chat_id = appeared(fired, settling.chat_id);
    let error = appeared(fired, settling.error);
    if chat_id.is_none() && error.is_none() {
        return IGNORED;
    }
    let Some((account, operation)) = settling.operation_of(fired)? else {
        return IGNORED;
    };
    match (chat_id, error) {
        (Some(chat_id), _) => confirm(&account, operation, &chat_id),
        (None, Some(error)) => settling.roll_back(&fired.after(), &account, operation, &error),
        (None, None) => Ok(()),
    }?;
    IGNORED
}

/// What an update put into a column: a text that is not blank, and was not there before.
fn appeared(fired: &Fired<'_>, column: Column) -> Option<String> {
    let text = given(&fired.after(), Some(column))?;
    (fired.before().text(column).as_deref() != Some(&text)).then_some(text)
}

/// A text that is not blank.
fn given(row: &TableRow<'_>, column: Option<Column>) -> Option<String> {
    row.text(column?).filter(|text| !is_blank(text))
}

fn confirm(account: &str, operation: OperationId, chat_id: &str) -> Result<()> {
    let chat_id = Some(check_text(chat_id, "chat_id", TEXT_CHARACTERS_MAX)?);
    let report =
        Report { account, operation, chat_id, delivered_at: None, event_follows: false, by_operator: false };
    Spi::connect(|spi| settle_delivered(spi, &report, &ErrorNote::default()).map(drop))
}

impl Settling {
    /// The operation that the outcome is of: the row's, or else the one that the same update took out of it.
    fn operation_of(&self, fired: &Fired<'_>) -> Result<Option<(String, OperationId)>> {
        for row in [fired.after(), fired.before()] {
            if let Some(operation) = operation_id(&row, self.operation, &self.names[1])? {
                let account = required_id(&row, self.account, "account_id", &self.names[0])?;
                return Ok(Some((account, operation)));
            }
        }
        Ok(None)
    }

    fn roll_back(
        &self,
        row: &TableRow<'_>,
        account: &str,
        operation: OperationId,
        error: &str,
    ) -> Result<()> {
        let error_type = given(row, self.error_type);
        let http_status = given(row, self.http_status).and_then(|text| whole_number(&text));
        let error = ProviderError { message: Some(error), error_type: error_type.as_deref(), http_status };
        let report = failure::Report { error, retry_after: self.wait(row) };
        Spi::connect(|spi| settle_failed(spi, account, operation, &report).map(drop))
    }

    fn wait(&self, row: &TableRow<'_>) -> Option<i64> {
        let column = self.retry_after?;
        if column.base_type() == pg_sys::INTERVALOID {
            let interval = unsafe { Interval::from_datum(row.datum(column)?, false) };
            return interval.and_then(sensible_wait);
        }
        given(row, Some(column)).and_then(|text| sensible_seconds(&text))
    }
}

/// A number as text has it; none for what is no whole number, or is too large to be a status.
fn whole_number(text: &str) -> Option<i32> {
    let number: f64 = text.trim().parse().ok()?;
    let is_whole = number.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&number);
    is_whole.then_some(number as i32)
}

/// The columns that `settle_send` reads, and that still have what an earlier attempt came to: a row that is
/// claimed anew begins without, or a second failure of the same words would not be seen to appear.
pub(super) fn outcome_of_before(
    declared: &Declared<'_>,
    before: &TableRow<'_>,
    after: &TableRow<'_>,
) -> Vec<(Column, Param)> {
    let mut emptied: Vec<(Column, Param)> = Vec::new();
    for settling in
        declared.neighbours().filter(|one| one.calls(FUNCTION)).filter_map(|one| Settling::of(&one).ok())
    {
        let columns = [Some(settling.error), settling.error_type, settling.http_status, settling.retry_after];
        for column in columns.into_iter().flatten() {
            let is_known = emptied.iter().any(|(one, _)| *one == column);
            let is_left = after.text(column).is_some_and(|text| before.text(column) == Some(text));
            // A domain's CHECKs would run with the rights of sendgate.
            let is_writable = column.generated == 0 && column.base_type() == column.type_oid;
            if is_known || !is_left || !is_writable {
                continue;
            }
            if !column.is_required {
                emptied.push((column, None));
            } else if is_text(column) {
                emptied.push((column, input(column, "")));
            }
        }
    }
    emptied
}
