//! How a guarded table's triggers are declared: arguments into columns, columns into values.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{ID_CHARACTERS_MAX, check_text, is_blank, shown};
use crate::postgres::trigger::{Column, Fired, Row};
use pgrx::pg_sys;
use sendgate_decision::names::OperationId;

/// A trigger function and how it has to be declared.
pub(super) struct Usage {
    /// The function.
    pub function: &'static str,
    /// When it has to be fired.
    pub timing: &'static str,
    /// Its arguments.
    pub arguments: &'static [&'static str],
}

impl Usage {
    /// The arguments of the trigger, as many as there have to be.
    pub fn arguments(&self, fired: &Fired<'_>) -> Result<Vec<String>> {
        let arguments = fired.arguments();
        if arguments.len() == self.arguments.len() {
            return Ok(arguments);
        }
        let detail = format!("It has {}, and needs {}.", arguments.len(), self.arguments.len());
        Err(self.misused(
            &format!("trigger \"{}\" has the wrong number of arguments", shown(&fired.trigger_name())),
            &detail,
        ))
    }

    /// The column that an argument names.
    pub fn column(&self, fired: &Fired<'_>, argument: &str, name: &str) -> Result<Column> {
        fired.column(name).ok_or_else(|| {
            self.misused(
                &format!(
                    "{argument}: table \"{}\" has no column \"{}\"",
                    shown(&fired.relation_name()),
                    shown(name)
                ),
                "Columns are spelled as the catalog has them: without quotes, in the same case.",
            )
        })
    }

    /// The same, where the column is to be written or is read before it is computed.
    pub fn plain_column(&self, fired: &Fired<'_>, argument: &str, name: &str) -> Result<Column> {
        let column = self.column(fired, argument, name)?;
        if column.generated == 0 {
            return Ok(column);
        }
        Err(self.misused(
            &format!("{argument}: column \"{}\" is generated", shown(name)),
            "A generated column is computed after the triggers, and nobody may write it.",
        ))
    }

    /// The error for a trigger that is not declared as it has to be.
    pub fn misused(&self, message: &str, detail: &str) -> Error {
        let arguments: Vec<String> = self.arguments.iter().map(|name| format!("'{name}'")).collect();
        Error::new(
            Code::MisusedTrigger,
            message,
            detail,
            format!(
                "Write: CREATE TRIGGER … {} EXECUTE FUNCTION sendgate.{}({}).",
                self.timing,
                self.function,
                arguments.join(", ")
            ),
        )
    }

    /// The error for a call at any other moment.
    pub fn misfired(&self, fired: Option<&Fired<'_>>) -> Error {
        let message = match fired {
            Some(fired) => format!("trigger \"{}\" is not {}", shown(&fired.trigger_name()), self.timing),
            None => format!("sendgate.{} is a trigger function", self.function),
        };
        self.misused(&message, "It looks at each row at that moment, and at no other.")
    }
}

/// Types in which an operation id or a reason can be written: PostgreSQL's own. A domain's CHECKs
/// would run with the rights of sendgate.
pub(super) fn is_text(column: Column) -> bool {
    matches!(column.type_oid, pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID)
}

/// A column of a row that has to name something: an account, a prospect.
pub(super) fn required_id(row: &Row<'_>, column: Column, argument: &str, name: &str) -> Result<String> {
    match optional_id(row, column, argument)? {
        Some(value) => Ok(value),
        None => Err(Error::new(
            Code::NullArgument,
            format!("column \"{}\" must not be null: it is the {argument}", shown(name)),
            "The gate cannot decide about nobody.",
            format!("Set \"{}\" in every row, or name another column in CREATE TRIGGER.", shown(name)),
        )),
    }
}

/// The same, where NULL is an answer.
pub(super) fn optional_id(row: &Row<'_>, column: Column, argument: &str) -> Result<Option<String>> {
    let value = row.text(column);
    value.map(|text| check_text(&text, argument, ID_CHARACTERS_MAX).map(str::to_owned)).transpose()
}

/// The operation id of a row; none where the column is NULL or blank.
pub(super) fn operation_id(row: &Row<'_>, column: Column, name: &str) -> Result<Option<OperationId>> {
    let Some(text) = row.text(column).filter(|text| !is_blank(text)) else {
        return Ok(None);
    };
    match uuid::Uuid::parse_str(text.trim()) {
        Ok(id) => Ok(Some(id.into_bytes())),
        Err(_) => Err(Error::new(
            Code::InvalidText,
            format!("column \"{}\" holds no operation id: \"{}\"", shown(name), shown(&text)),
            "An operation id is a UUID.",
            "Leave the column empty when a row is inserted, or put a UUID of your own there.",
        )),
    }
}
