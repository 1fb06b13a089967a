//! `guard_send`: asks the gate about each row before it is inserted, or claimed by an update.

use crate::gate::look::Ask;
use crate::gate::refusals;
use crate::postgres::error::{Code, Error, Result, warn};
use crate::postgres::function::{Answer, Args, is_blank, show_instant, shown, sql_function, unknown_value};
use crate::postgres::ids;
use crate::postgres::param::{IntoParam, Param};
use crate::postgres::statement::Spi;
use crate::postgres::trigger::{Column, Declared, TableRow, input};
use crate::tables::journal;
use crate::triggers::guard::declared::{Usage, is_text, operation_id, optional_id, required_id};
use crate::triggers::guard::{settle, unheld};
use crate::verbs::reserve::{KnownId, decide_and_write};
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, OperationId, OperationState, Reason};

sql_function!(sendgate_guard_send, pg_finfo_sendgate_guard_send, guard_send);

static USAGE: Usage = Usage {
    function: "guard_send",
    timing: "BEFORE INSERT OR UPDATE FOR EACH ROW",
    moments: (
        pg_sys::TRIGGER_TYPE_ROW | pg_sys::TRIGGER_TYPE_BEFORE,
        pg_sys::TRIGGER_TYPE_INSERT | pg_sys::TRIGGER_TYPE_UPDATE,
    ),
    arguments: &[
        "account_column",
        "action or column",
        "prospect_column",
        "campaign_column",
        "operation_id_column",
        "mode",
    ],
    needed: 6,
};

/// What the mode `reason:column` begins with.
const REASON_MODE: &str = "reason:";

/// A trigger's arguments, looked up in its table.
pub(super) struct Guard {
    names: Vec<String>,
    account: Column,
    action: ActionSource,
    prospect: Column,
    campaign: Option<Column>,
    /// Where the operation id is.
    pub operation: Column,
    /// Where a refusal goes; none where it is an error.
    reason: Option<Column>,
}

enum ActionSource {
    Always(Action),
    Column(Column),
}

/// The gate's answer about a row.
enum Answered {
    /// It may be sent; `taken` is the account whose slot this call took, `observed` what would have refused if the
    /// account were not only observed.
    Granted { operation: OperationId, taken: Option<String>, observed: Option<Reason> },
    /// It may not. `spent` is an operation of the row's own that was sent, or may have been.
    Refused { reason: Option<Reason>, retry_at: Option<Instant>, spent: Option<OperationId> },
}

impl Guard {
    /// Judges a declaration.
    pub fn of(declared: &Declared<'_>) -> Result<Guard> {
        let names = USAGE.arguments(declared)?;
        if !matches!(declared.relation_kind(), pg_sys::RELKIND_RELATION | pg_sys::RELKIND_PARTITIONED_TABLE) {
            return Err(USAGE.misused(
                &format!("\"{}\" is no ordinary table", shown(&declared.relation_name())),
                "Only rows that this server keeps itself can hold a slot.",
            ));
        }
        let column = |i: usize| USAGE.plain_column(declared, USAGE.arguments[i], &names[i]);
        let action = match Action::parse(&names[1]) {
            Some(action) => ActionSource::Always(action),
            None => ActionSource::Column(action_column(declared, &names[1])?),
        };
        let (account, prospect, operation) = (column(0)?, column(2)?, column(4)?);
        let campaign = if names[3].is_empty() { None } else { Some(column(3)?) };
        if operation.type_oid != pg_sys::UUIDOID && !is_text(operation) {
            return Err(unwritable(USAGE.arguments[4], &names[4], "uuid, text, varchar or char"));
        }
        let mut read = vec![account, prospect];
        read.extend(campaign);
        read.extend(action.column());
        USAGE.only_use(USAGE.arguments[4], &names[4], operation, &read)?;
        let reason = reason_column(declared, &names[5], operation, &read)?;
        Ok(Guard { account, action, prospect, campaign, operation, reason, names })
    }

    /// Asks the gate about a row that is inserted, or is updated from what it was before.
    fn ask(&self, row: &TableRow<'_>, before: Option<&TableRow<'_>>) -> Result<Answered> {
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
        let mut operation = operation_id(row, self.operation, &self.names[4])?;
        let known = match (before, operation) {
            (Some(before), Some(id)) if !self.takes_over(before, id) => {
                match self.elsewhere(before, &account, id)? {
                    Some(OperationState::Released) => operation = None,
                    Some(state) => return Ok(spent_elsewhere(action, state, id)),
                    None if journal::is_only_proven(&account, id)? => {
                        return Ok(spent_elsewhere(action, OperationState::Delivered, id));
                    }
                    None => {}
                }
                KnownId::IsSpent
            }
            _ => KnownId::Replays,
        };
        let ask = Ask { account: &account, action, prospect: Some(&prospect), operation };
        let decision = Spi::connect(|spi| decide_and_write(spi, &ask, campaign.as_deref(), known))?;
        Ok(match decision.operation {
            Some(granted) => Answered::Granted {
                operation: granted,
                taken: decision.taken.then_some(account),
                observed: decision.reason,
            },
            None => Answered::Refused {
                reason: decision.reason,
                retry_at: decision.retry_at,
                spent: match operation.filter(|_| known == KnownId::IsSpent) {
                    Some(id) if journal::state(&account, id)?.is_some_and(was_perhaps_sent) => Some(id),
                    _ => None,
                },
            },
        })
    }

    /// Whether the row gets the id of a slot that this transaction took for another row of the table, which
    /// `ON CONFLICT DO UPDATE` then did not insert.
    fn takes_over(&self, before: &TableRow<'_>, id: OperationId) -> bool {
        let had = before.text(self.operation).and_then(|text| uuid::Uuid::parse_str(text.trim()).ok());
        had.is_none_or(|had| had.into_bytes() != id) && unheld::is_remembered(id)
    }

    /// The state of the row's operation where that was of another account: the row was moved.
    fn elsewhere(
        &self,
        before: &TableRow<'_>,
        account: &str,
        id: OperationId,
    ) -> Result<Option<OperationState>> {
        match before.text(self.account) {
            Some(earlier) if earlier != account => journal::state(&earlier, id),
            _ => Ok(None),
        }
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

impl ActionSource {
    fn column(&self) -> Option<Column> {
        match self {
            ActionSource::Always(_) => None,
            ActionSource::Column(column) => Some(*column),
        }
    }
}

fn was_perhaps_sent(state: OperationState) -> bool {
    state != OperationState::Released
}

/// The refusal of a row whose operation belongs to the account that it was moved away from, or was pruned.
fn spent_elsewhere(action: Action, state: OperationState, id: OperationId) -> Answered {
    let reason = if state.is_unresolved() { Reason::OperationInFlight } else { Reason::OperationResolved };
    refusals::count(action, reason);
    Answered::Refused { reason: Some(reason), retry_at: None, spent: Some(id) }
}

/// The column that the second argument names, where it does not spell an action.
fn action_column(declared: &Declared<'_>, name: &str) -> Result<Column> {
    if declared.column(name).is_some() {
        return USAGE.plain_column(declared, USAGE.arguments[1], name);
    }
    Err(USAGE.misused(
        &format!(
            "\"{}\" is neither an action nor a column of table \"{}\"",
            shown(name),
            shown(&declared.relation_name())
        ),
        &format!("Actions: {}.", Action::allowed()),
    ))
}

fn reason_column(
    declared: &Declared<'_>,
    mode: &str,
    operation: Column,
    read: &[Column],
) -> Result<Option<Column>> {
    if mode == "error" {
        return Ok(None);
    }
    let Some(name) = mode.strip_prefix(REASON_MODE) else {
        return Err(USAGE.misused(
            &format!("unknown mode: \"{}\"", shown(mode)),
            "error raises the refusal; reason:column lets the row in, with the reason in that column.",
        ));
    };
    let column = USAGE.plain_column(declared, "mode", name)?;
    if !is_text(column) || column == operation {
        return Err(unwritable("mode", name, "text, varchar or char, and not the operation id's own"));
    }
    USAGE.only_use("mode", name, column, read)?;
    Ok(Some(column))
}

fn unwritable(argument: &str, name: &str, types: &str) -> Error {
    USAGE.wrong_type(argument, name, "that it cannot be written in", &format!("{types}; no domain"))
}

fn guard_send(args: &Args) -> Answer {
    let fired = &USAGE.fired(args)?;
    let declared = fired.declared();
    let guard = Guard::of(&declared)?;
    let before = fired.is_before_update().then(|| fired.before());
    let row = if before.is_some() { fired.after() } else { fired.inserted() };
    match (guard.ask(&row, before.as_ref())?, guard.reason) {
        (Answered::Granted { operation, taken, observed }, reason) => {
            let mut changes = vec![(guard.operation, guard.id_param(operation))];
            // What a refusal left there before is over.
            let stale = |column: &Column| row.text(*column).is_some_and(|text| !is_blank(&text));
            let said = |column| (column, observed.and_then(|reason| input(column, reason.name())));
            changes.extend(reason.filter(|column| observed.is_some() || stale(column)).map(said));
            if let Some(account) = taken {
                unheld::remember(fired, guard.operation, &guard.names[4], account, operation);
                if let Some(before) = &before {
                    changes.extend(settle::outcome_of_before(&declared, before, &row));
                }
            }
            Ok(Some(row.with(&changes)))
        }
        (Answered::Refused { reason, retry_at, .. }, None) => {
            Err(refused(reason, retry_at, before.is_some()))
        }
        (Answered::Refused { reason, spent, .. }, Some(column)) => {
            let reason = reason.map_or("refused", Reason::name);
            if let (Some(_), Some(spent)) = (before, spent) {
                warn(lets_go(reason, spent));
            }
            Ok(Some(row.with(&[(guard.operation, None), (column, input(column, reason))])))
        }
    }
}

/// Tells of an operation whose id leaves its row.
fn lets_go(reason: &str, operation: OperationId) -> Error {
    Error::new(
        Code::Refused,
        reason,
        format!(
            "Operation {} of the row was sent, or may have been. Its id is no longer in the row.",
            ids::show(operation)
        ),
        "Report its outcome by confirm or rollback with this id. In the mode error the row keeps it.",
    )
}

/// The gate's no as an error.
fn refused(reason: Option<Reason>, retry_at: Option<Instant>, is_update: bool) -> Error {
    let (done, again) =
        if is_update { ("changed", "Update the row again") } else { ("inserted", "Insert the row again") };
    let hint = match (reason, retry_at) {
        (Some(Reason::OperationResolved), _) if is_update => {
            "The row was sent already: do not send it again.".to_owned()
        }
        (Some(Reason::OperationInFlight), _) if is_update => {
            "Nothing was changed and no slot was taken. An earlier attempt is unresolved, of this row or of another one for the same prospect: report its outcome, or let a person settle it (sendgate.operations_unresolved).".to_owned()
        }
        (Some(Reason::OperationResolved), _) => {
            "Every new attempt wants a new operation id; leave the column empty to get one.".to_owned()
        }
        (Some(Reason::ProspectSuppressed), None) => format!(
            "Nothing was {done} and no slot was taken. The prospect is not to be written to; only unsuppress_prospect ends that."
        ),
        (_, Some(_)) => format!("Nothing was {done} and no slot was taken. {again} at retry_at."),
        (_, None) => format!(
            "Nothing was {done} and no slot was taken. Time alone does not change this; sendgate.account_cards says what the account waits for."
        ),
    };
    Error::new(
        Code::Refused,
        reason.map_or("refused", Reason::name),
        format!("retry_at: {}", retry_at.map_or("null".to_owned(), show_instant)),
        hint,
    )
}
