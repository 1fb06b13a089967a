//! How a guarded table's triggers are declared: arguments into columns, columns into values.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Args, ID_CHARACTERS_MAX, check_text, is_blank, shown};
use crate::postgres::trigger::{Column, Declared, Fired, TableRow};
use pgrx::pg_sys;
use sendgate_decision::names::OperationId;

/// A trigger function and how it has to be declared.
pub(super) struct Usage {
    /// The function.
    pub function: &'static str,
    /// When it has to be fired.
    pub timing: &'static str,
    /// The same as bits of `pg_trigger.tgtype`: those that all have to be there, and those that need one of them.
    pub moments: (u32, u32),
    /// Its arguments.
    pub arguments: &'static [&'static str],
    /// How many of them may not be left out; the others come last.
    pub needed: usize,
}

impl Usage {
    /// The arguments of the trigger, which is fired at the right moment and has as many as there have to be.
    /// Those that were left out are empty.
    pub fn arguments(&self, declared: &Declared<'_>) -> Result<Vec<String>> {
        let (all, one_of) = self.moments;
        let moments = declared.moments();
        if moments & !one_of != all || moments & one_of == 0 {
            return Err(self.misused(
                &format!("trigger \"{}\" is not {}", shown(&declared.trigger_name()), self.timing),
                "It looks at each row at that moment, and at no other.",
            ));
        }
        let mut arguments = declared.arguments();
        if (self.needed..=self.arguments.len()).contains(&arguments.len()) {
            arguments.resize(self.arguments.len(), String::new());
            return Ok(arguments);
        }
        let needed = if self.needed == self.arguments.len() {
            self.needed.to_string()
        } else {
            format!("{} to {}", self.needed, self.arguments.len())
        };
        let detail = format!("It has {}, and needs {needed}.", arguments.len());
        Err(self.misused(
            &format!("trigger \"{}\" has the wrong number of arguments", shown(&declared.trigger_name())),
            &detail,
        ))
    }

    /// The column that an argument names.
    pub fn column(&self, declared: &Declared<'_>, argument: &str, name: &str) -> Result<Column> {
        declared.column(name).ok_or_else(|| {
            self.misused(
                &format!(
                    "{argument}: table \"{}\" has no column \"{}\"",
                    shown(&declared.relation_name()),
                    shown(name)
                ),
                "Columns are spelled as the catalog has them: without quotes, in the same case.",
            )
        })
    }

    /// The same, where the column is to be written or is read before it is computed.
    pub fn plain_column(&self, declared: &Declared<'_>, argument: &str, name: &str) -> Result<Column> {
        let column = self.column(declared, argument, name)?;
        if column.generated == 0 {
            return Ok(column);
        }
        Err(self.misused(
            &format!("{argument}: column \"{}\" is generated", shown(name)),
            "A generated column is computed after the triggers, and cannot be written.",
        ))
    }

    /// Passes a column that no other argument names.
    pub fn only_use(&self, argument: &str, name: &str, column: Column, others: &[Column]) -> Result<()> {
        if !others.contains(&column) {
            return Ok(());
        }
        Err(self.misused(
            &format!("{argument}: column \"{}\" is named twice", shown(name)),
            "What is written there would be read as something else.",
        ))
    }

    /// The error for a column whose values cannot be what they have to be.
    pub fn wrong_type(&self, argument: &str, name: &str, fault: &str, types: &str) -> Error {
        self.misused(
            &format!("{argument}: column \"{}\" has a type {fault}", shown(name)),
            &format!("It has to be {types}."),
        )
    }

    /// The error for a trigger that is not declared as it has to be.
    pub fn misused(&self, message: &str, detail: &str) -> Error {
        let quoted = |arguments: &[&str]| {
            arguments.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(", ")
        };
        let (needed, optional) = self.arguments.split_at(self.needed);
        let optional = if optional.is_empty() { String::new() } else { format!(" [, {}]", quoted(optional)) };
        Error::new(
            Code::MisusedTrigger,
            message,
            detail,
            format!(
                "Write: CREATE TRIGGER … {} EXECUTE FUNCTION sendgate.{}({}{optional}).",
                self.timing,
                self.function,
                quoted(needed),
            ),
        )
    }

    /// The trigger's call; the error for any other call.
    pub fn fired<'a>(&self, args: &'a Args) -> Result<Fired<'a>> {
        Fired::of(args).ok_or_else(|| {
            self.misused(
                &format!("sendgate.{} is a trigger function", self.function),
                "It looks at a row that a trigger is fired for, and at nothing else.",
            )
        })
    }
}

/// Types in which an operation id or a reason can be written: PostgreSQL's own. A domain's CHECKs
/// would run with the rights of sendgate.
pub(super) fn is_text(column: Column) -> bool {
    matches!(column.type_oid, pg_sys::TEXTOID | pg_sys::VARCHAROID | pg_sys::BPCHAROID)
}

/// A column of a row that has to name something: an account, a prospect.
pub(super) fn required_id(row: &TableRow<'_>, column: Column, argument: &str, name: &str) -> Result<String> {
    match optional_id(row, column, argument)? {
        Some(value) => Ok(value),
        None => Err(Error::new(
            Code::NullArgument,
            format!("column \"{}\" must not be null: it is the {argument}", shown(name)),
            "Without it the gate has nothing to decide about.",
            format!("Set \"{}\" in every row, or name another column in CREATE TRIGGER.", shown(name)),
        )),
    }
}

/// The same, where NULL is an answer.
pub(super) fn optional_id(row: &TableRow<'_>, column: Column, argument: &str) -> Result<Option<String>> {
    let value = row.text(column);
    value.map(|text| check_text(&text, argument, ID_CHARACTERS_MAX).map(str::to_owned)).transpose()
}

/// The operation id of a row; none where the column is NULL or blank.
pub(super) fn operation_id(row: &TableRow<'_>, column: Column, name: &str) -> Result<Option<OperationId>> {
    let Some(text) = row.text(column).filter(|text| !is_blank(text)) else {
        return Ok(None);
    };
    match uuid::Uuid::parse_str(text.trim()) {
        Ok(id) => Ok(Some(id.into_bytes())),
        Err(_) => Err(Error::new(
            Code::InvalidText,
            format!("column \"{}\" holds no operation id: \"{}\"", shown(name), shown(&text)),
            "An operation id is a UUID.",
            "Leave the column empty until the gate is asked, or put a UUID of your own there.",
        )),
    }
}
