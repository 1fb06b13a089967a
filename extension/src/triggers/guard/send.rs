//! `guard_send`: asks the gate about each row before it is inserted.

use crate::gate::decision::Decision;
use crate::gate::look::Ask;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, is_blank, show_instant, shown, sql_function, unknown_value};
use crate::postgres::ids;
use crate::postgres::param::{IntoParam, Param};
use crate::postgres::statement::Spi;
use crate::postgres::trigger::{Column, Fired, Row, input};
use crate::triggers::guard::declared::{Usage, is_text, operation_id, optional_id, required_id};
use crate::triggers::guard::unheld;
use crate::verbs::reserve::decide_and_write;
use pgrx::pg_sys;
use sendgate_decision::names::{Action, OperationId, Reason};

sql_function!(sendgate_guard_send, pg_finfo_sendgate_guard_send, guard_send);

static USAGE: Usage = Usage {
    function: "guard_send",
    timing: "BEFORE INSERT FOR EACH ROW",
    arguments: &[
        "account_column",
        "action or column",
        "prospect_column",
        "campaign_column",
        "operation_id_column",
        "mode",
    ],
};

/// What the mode `reason:column` begins with.
const REASON_MODE: &str = "reason:";

/// A trigger's arguments, looked up in its table.
struct Guard {
    names: Vec<String>,
    account: Column,
    action: ActionSource,
    prospect: Column,
    campaign: Option<Column>,
    operation: Column,
    /// Where a refusal goes; none where it is an error.
    reason: Option<Column>,
}

enum ActionSource {
    Always(Action),
    Column(Column),
}

impl Guard {
    fn of(fired: &Fired<'_>) -> Result<Guard> {
        let names = USAGE.arguments(fired)?;
        if fired.class().relkind as u8 != pg_sys::RELKIND_RELATION {
            return Err(USAGE.misused(
                &format!("\"{}\" is no ordinary table", shown(&fired.relation_name())),
                "Only rows that this server keeps itself can hold a slot.",
            ));
        }
        let column = |i: usize| USAGE.plain_column(fired, USAGE.arguments[i], &names[i]);
        let action = match Action::parse(&names[1]) {
            Some(action) => ActionSource::Always(action),
            None => ActionSource::Column(action_column(fired, &names[1])?),
        };
        let operation = column(4)?;
        if operation.type_oid != pg_sys::UUIDOID && !is_text(operation) {
            return Err(unwritable(USAGE.arguments[4], &names[4], "uuid, text, varchar or char"));
        }
        Ok(Guard {
            account: column(0)?,
            action,
            prospect: column(2)?,
            campaign: if names[3].is_empty() { None } else { Some(column(3)?) },
            operation,
            reason: reason_column(fired, &names[5], operation)?,
            names,
        })
    }

    /// The gate's answer about a row, and the account that it is about.
    fn ask(&self, row: &Row<'_>) -> Result<(String, Decision)> {
        let account = required_id(row, self.account, "account_id", &self.names[0])?;
        let action = match self.action {
            ActionSource::Always(action) => action,
            ActionSource::Column(column) => {
                let name = required_id(row, column, "action", &self.names[1])?;
                Action::parse(&name).ok_or_else(|| unknown_value("action", &name, &Action::allowed()))?
            }
        };
        let prospect = required_id(row, self.prospect, "prospect_id", &self.names[2])?;
        let campaign = match self.campaign {
            Some(column) => optional_id(row, column, "campaign_id")?,
            None => None,
        };
        let operation = operation_id(row, self.operation, &self.names[4])?;
        let ask = Ask { account: &account, action, prospect: Some(&prospect), operation };
        let decision = Spi::connect(|spi| decide_and_write(spi, &ask, campaign.as_deref()))?;
        Ok((account, decision))
    }

    /// The operation id as the column holds it, in one spelling only, so that it can be found again.
    fn id_param(&self, id: OperationId) -> Param {
        if self.operation.type_oid == pg_sys::UUIDOID {
            id.param()
        } else {
            input(self.operation, &ids::show(id))
        }
    }
}

/// The column that the second argument names, where it does not spell an action.
fn action_column(fired: &Fired<'_>, name: &str) -> Result<Column> {
    if fired.column(name).is_some() {
        return USAGE.plain_column(fired, USAGE.arguments[1], name);
    }
    Err(USAGE.misused(
        &format!(
            "\"{}\" is neither an action nor a column of table \"{}\"",
            shown(name),
            shown(&fired.relation_name())
        ),
        &format!("Actions: {}.", Action::allowed()),
    ))
}

fn reason_column(fired: &Fired<'_>, mode: &str, operation: Column) -> Result<Option<Column>> {
    if mode == "error" {
        return Ok(None);
    }
    let Some(name) = mode.strip_prefix(REASON_MODE) else {
        return Err(USAGE.misused(
            &format!("unknown mode: \"{}\"", shown(mode)),
            "error raises the refusal; reason:column lets the row in, with the reason in that column.",
        ));
    };
    let column = USAGE.plain_column(fired, "mode", name)?;
    if !is_text(column) || column == operation {
        return Err(unwritable("mode", name, "text, varchar or char, and not the operation id's own"));
    }
    Ok(Some(column))
}

fn unwritable(argument: &str, name: &str, types: &str) -> Error {
    USAGE.misused(
        &format!("{argument}: column \"{}\" has a type that it cannot be written in", shown(name)),
        &format!("It has to be {types}; no domain."),
    )
}

fn guard_send(args: &Args) -> Answer {
    let fired = Fired::of(args);
    let Some(fired) = fired.as_ref().filter(|fired| fired.is_before_insert()) else {
        return Err(USAGE.misfired(fired.as_ref()));
    };
    let guard = Guard::of(fired)?;
    let row = fired.inserted();
    let (account, decision) = guard.ask(&row)?;
    match (decision.operation, guard.reason) {
        (Some(operation), reason) => {
            if decision.taken {
                unheld::remember(fired, guard.operation, &guard.names[4], account, operation);
            }
            let mut changes = vec![(guard.operation, guard.id_param(operation))];
            // What a refusal left there before is over.
            let stale = |column: &Column| row.text(*column).is_some_and(|text| !is_blank(&text));
            changes.extend(reason.filter(stale).map(|column| (column, None)));
            Ok(Some(row.with(&changes)))
        }
        (None, None) => Err(refused(&decision)),
        (None, Some(column)) => {
            let reason = decision.reason.map(Reason::name).and_then(|name| input(column, name));
            Ok(Some(row.with(&[(guard.operation, None), (column, reason)])))
        }
    }
}

/// The gate's no as an error.
fn refused(decision: &Decision) -> Error {
    let hint = match (decision.reason, decision.retry_at) {
        (Some(Reason::OperationResolved), _) => {
            "Every new attempt wants a new operation id; leave the column empty to get one."
        }
        (Some(Reason::ProspectSuppressed), None) => {
            "Nothing was inserted and no slot was taken. The prospect is not to be written to; only unsuppress_prospect ends that."
        }
        (_, Some(_)) => "Nothing was inserted and no slot was taken. Insert the row again at retry_at.",
        (_, None) => {
            "Nothing was inserted and no slot was taken. Time alone does not change this; sendgate.account_cards says what the account waits for."
        }
    };
    Error::new(
        Code::Refused,
        decision.reason.map_or("refused", Reason::name),
        format!("retry_at: {}", decision.retry_at.map_or("null".to_owned(), show_instant)),
        hint,
    )
}
