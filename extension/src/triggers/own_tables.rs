//! Triggers of sendgate's own tables: append-only logs, changes of the configuration, events that an
//! application inserts.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{
    Answer, Args, ID_CHARACTERS_MAX, check_text, finite_instant, null_argument, shown, sql_reading,
    unknown_value,
};
use crate::postgres::ids;
use crate::postgres::param::{IntoParam, Param, params, types};
use crate::postgres::replication;
use crate::postgres::statement::{Spi, Statement};
use crate::postgres::trigger::{Column, Fired};
use crate::postgres::version;
use crate::settle::external::{ExternalSend, Recorded, already_recorded, check_chat_id, journal_send};
use crate::tables::accounts::sound;
use crate::tables::append_only;
use crate::tables::suppressions;
use pgrx::datum::Uuid;
use pgrx::pg_sys;
use sendgate_decision::clock::Day;
use sendgate_decision::names::{Action, OperationId};

sql_reading!(sendgate_append_only, pg_finfo_sendgate_append_only, append_only);
sql_reading!(sendgate_account_is_sound, pg_finfo_sendgate_account_is_sound, account_is_sound);
sql_reading!(sendgate_account_leaves, pg_finfo_sendgate_account_leaves, account_leaves);
sql_reading!(sendgate_config_changed, pg_finfo_sendgate_config_changed, config_changed);
sql_reading!(sendgate_suppressions_changed, pg_finfo_sendgate_suppressions_changed, suppressions_changed);
sql_reading!(sendgate_journal_event, pg_finfo_sendgate_journal_event, journal_event);

static EVENT_EXISTS: Statement = Statement::new(
    "SELECT 1 FROM sendgate.linkedin_events e
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.id OPERATOR(pg_catalog.=) $2",
    types![text, uuid],
);

fn append_only(args: &Args) -> Answer {
    let fired = Fired::of(args);
    // The other server has kept the rule. Here an error would stop the worker for good.
    if let Some(fired) = fired.as_ref().filter(|_| replication::is_apply_worker()) {
        return Ok(Some(fired.passed()));
    }
    let deleted = fired.as_ref().filter(|_| append_only::may_delete()).and_then(Fired::deleted);
    let updated = || fired.as_ref().filter(|_| append_only::may_change()).and_then(Fired::updated);
    if let Some(row) = deleted.or_else(updated) {
        return Ok(Some(row));
    }
    let table = fired.map_or_else(String::new, |fired| fired.relation_name());
    Err(Error::new(
        Code::AppendOnly,
        format!("sendgate.{table} is append-only"),
        "What happened stays written: rows are neither changed nor removed.",
        "Add a new row instead; old rows leave by prune, and by remove_account.",
    ))
}

/// The rules over several columns of an account, which are the columns that the trigger watches, in this order.
fn account_is_sound(args: &Args) -> Answer {
    let fired = Fired::of(args).filter(Fired::is_after_row).ok_or_else(not_on_accounts)?;
    let columns = fired.watched().ok_or_else(not_on_accounts)?;
    sound::check(&columns)?;
    Ok(Some(pg_sys::Datum::null()))
}

/// An account leaves with all its rows, or not at all.
fn account_leaves(args: &Args) -> Answer {
    let row = Fired::of(args).filter(|_| append_only::may_delete()).and_then(|fired| fired.deleted());
    row.map_or_else(|| Err(stays()), |row| Ok(Some(row)))
}

fn stays() -> Error {
    Error::new(
        Code::AppendOnly,
        "a row of sendgate.accounts is not deleted by itself",
        "Its operations, events, campaign work and logs would stay for ever, and count for the next account of that id.",
        "Call sendgate.remove_account(account_id, note) until it returns 0.",
    )
}

/// Tells every backend, when the transaction commits, to compile its configuration anew.
fn config_changed(args: &Args) -> Answer {
    if let Some(fired) = Fired::of(args) {
        unsafe { pg_sys::CacheInvalidateRelcacheByRelid(fired.relation()) };
    }
    Ok(Some(pg_sys::Datum::null()))
}

/// Tells every backend, when the transaction commits, that the list of suppressions has changed.
fn suppressions_changed(args: &Args) -> Answer {
    if Fired::of(args).is_some() {
        suppressions::tell();
    }
    Ok(Some(pg_sys::Datum::null()))
}

/// Journals and counts an event that an application inserts itself. An event that names its operation comes
/// from our functions, or from a dump, and passes unchanged: every confirm calls this trigger.
fn journal_event(args: &Args) -> Answer {
    let fired = Fired::of(args).filter(Fired::is_before_insert).ok_or_else(misused)?;
    let row = fired.inserted();
    if fired.has_value(c"operation_id") {
        return Ok(Some(row.unchanged()));
    }
    version::check();
    let column = |name: &str| fired.column(name).ok_or_else(misused);
    let text = |name: &str| Ok(row.text(column(name)?));
    let required = |name: &str| {
        let value: Option<String> = text(name)?;
        value.ok_or_else(|| null_argument(name))
    };
    let (account, prospect) = (required("account_id")?, required("prospect_id")?);
    let event_type = required("event_type")?;
    let (chat_id, campaign) = (text("chat_id")?, text("campaign_id")?);
    let occurred_at =
        row.datum(column("occurred_at")?.of::<i64>()).ok_or_else(|| null_argument("occurred_at"))?.value()
            as i64;
    let action = action_of(&event_type)?;
    let send = ExternalSend {
        account: check_text(&account, "account_id", ID_CHARACTERS_MAX)?,
        action,
        prospect: check_text(&prospect, "prospect_id", ID_CHARACTERS_MAX)?,
        chat_id: check_chat_id(action, chat_id.as_deref())?,
        campaign: campaign.as_deref(),
        occurred_at: finite_instant(occurred_at, "occurred_at")?,
        event_follows: true,
    };
    let ids_column = column("id")?.of::<Uuid>();
    let id = row.datum(ids_column);
    let (operation, counted_on, of_operation) = Spi::connect(|spi| journal(spi, &send, id))?;
    let now = clock::now();
    let changes: [(Column, Param); 6] = [
        (ids_column, id.or_else(|| ids::fresh().param())),
        (column("operation_id")?.of::<Uuid>(), operation.param()),
        (column("recorded_at")?.of::<i64>(), now.param()),
        (column("counted_on")?.of::<i32>(), counted_on.param()),
        (column("chat_id")?.of::<&str>(), send.chat_id.param()),
        (column("campaign_id")?.of::<&str>(), send.campaign.or(of_operation.as_deref()).param()),
    ];
    Ok(Some(row.with(&changes)))
}

/// The operation that the event is the delivery of, the day it counts on, and its campaign.
type Journalled = (OperationId, Day, Option<String>);

fn journal(spi: &Spi, send: &ExternalSend<'_>, id: Param) -> Result<Journalled> {
    match journal_send(spi, send)? {
        Recorded::Already(event) => Err(already_recorded(send, event)),
        // ON CONFLICT would leave the row out and what is journalled by now without its event.
        Recorded::Now { .. }
            if id.is_some() && spi.run(&EVENT_EXISTS, params![send.account, id]).count() > 0 =>
        {
            Err(id_in_use(send))
        }
        Recorded::Now { operation, counted_on, campaign, .. } => Ok((operation, counted_on, campaign)),
    }
}

fn action_of(event_type: &str) -> Result<Action> {
    let types = || Action::ALL.iter().map(|action| action.event_type());
    Action::ALL
        .iter()
        .copied()
        .find(|action| action.event_type() == event_type)
        .ok_or_else(|| unknown_value("event_type", event_type, &types().collect::<Vec<_>>().join(", ")))
}

fn id_in_use(send: &ExternalSend<'_>) -> Error {
    Error::new(
        Code::AlreadyRecorded,
        "the id of this event is in use",
        format!("Account \"{}\" has an event of that id, of another send.", shown(send.account)),
        "Leave the id out: every event gets one of its own.",
    )
}

fn not_on_accounts() -> Error {
    Error::new(
        Code::MisusedTrigger,
        "sendgate.account_is_sound belongs to sendgate.accounts only",
        "It is fired AFTER INSERT OR UPDATE OF the columns that it reads, by the trigger that the extension creates.",
        "Drop the trigger of your own.",
    )
}

fn misused() -> Error {
    Error::new(
        Code::MisusedTrigger,
        "sendgate.journal_event belongs to sendgate.linkedin_events only",
        "It is fired BEFORE INSERT FOR EACH ROW there, by the trigger that the extension creates.",
        "For a table of your own, use sendgate.guard_send and sendgate.settle_send.",
    )
}
