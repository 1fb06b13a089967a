//! `send_operations`: the journal of attempts, one row each.

pub mod many;

use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{TEXT_CHARACTERS_MAX, shown};
use crate::postgres::ids::{self, Id};
use crate::postgres::index_scan::{self, Lookup, key};
use crate::postgres::param::{params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::activity::{self, Activity};
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{Action, OperationId, OperationState, Origin, Outcome};
use sendgate_decision::settle::Operation;

/// What a text that was too long ends with.
const CUT_MARK: &str = " …[cut]";

static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on,
         account_id, prospect_id, action, campaign_id)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    types![uuid, instant, instant, date, text, text, text, text],
);

static OPERATION: Lookup = Lookup::new(
    c"send_operations",
    &[key::text(c"account_id"), key::uuid(c"operation_id")],
    "action, state, counted_on, reserved_at, expires_at, outcome, origin, unknown_since, prospect_id, campaign_id,
     attempt, step, awaited, settled_at, beyond_credits",
);

static EVENT: Lookup =
    Lookup::new(c"linkedin_events", &[key::text(c"account_id"), key::uuid(c"operation_id")], "id, chat_id");

/// What an earlier answer said about the error stays, unless there is something new.
static SETTLE: Statement = Statement::new(
    "UPDATE sendgate.send_operations o
     SET state = $4, settled_at = $5, outcome = $6, error = COALESCE($7, o.error),
         error_type = COALESCE($8, o.error_type), http_status = COALESCE($9, o.http_status),
         unknown_since = CASE WHEN $4 OPERATOR(pg_catalog.=) 'indeterminate' THEN $5 END
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2
       AND o.state OPERATOR(pg_catalog.=) $3",
    types![text, uuid, text, text, instant, text, text, text, int4],
);

/// Rare: a probe, a forced breaker, an account that is only observed.
static MARK_BEYOND: Statement = Statement::new(
    "UPDATE sendgate.send_operations o SET beyond_credits = true
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2",
    types![text, uuid],
);

static FORGET: Statement = Statement::new(
    "DELETE FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2",
    types![text, uuid],
);

/// A delivery and its event, where the operation is still in the state that it was read in.
static DELIVER: Statement = Statement::new(
    "WITH delivered AS (
         UPDATE sendgate.send_operations o
         SET state = 'delivered', settled_at = $4, outcome = NULL, unknown_since = NULL
         WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2
           AND o.state OPERATOR(pg_catalog.=) $3
         RETURNING o.account_id, o.operation_id, o.counted_on, o.prospect_id, o.campaign_id
     )
     INSERT INTO sendgate.linkedin_events (id, operation_id, occurred_at, recorded_at, counted_on,
         account_id, prospect_id, event_type, chat_id, campaign_id)
     SELECT $5, d.operation_id, $6, $4, d.counted_on, d.account_id, d.prospect_id, $7, $8, d.campaign_id
     FROM delivered d",
    types![text, uuid, text, instant, uuid, instant, text, text],
);

/// A slot that was just taken.
pub struct NewOperation<'a> {
    /// Its id.
    pub id: OperationId,
    /// The account.
    pub account: &'a str,
    /// Whom it is for.
    pub prospect: &'a str,
    /// What is to be sent.
    pub action: Action,
    /// The campaign, if the worker named one.
    pub campaign: Option<&'a str>,
    /// When it was decided.
    pub reserved_at: Instant,
    /// Until when it is in flight.
    pub expires_at: Instant,
    /// The day its slot counts on.
    pub counted_on: Day,
    /// Whether no known credit was left for it.
    pub beyond_credits: bool,
}

/// An operation as the journal has it, with its event where there is one.
pub struct JournalRow {
    /// The part that settling it needs.
    pub operation: Operation,
    /// Whom it is for.
    pub prospect: String,
    /// The campaign.
    pub campaign: Option<String>,
    /// Which step of its campaign's work it was handed out for; none where `reserve` took the slot.
    pub step: Option<i16>,
    /// Whether other work waits for it to be settled.
    pub awaited: bool,
    /// The event of its delivery.
    pub event: Option<Id>,
    /// The chat id of that event.
    pub chat_id: Option<String>,
}

/// What is noted when an operation is settled.
#[derive(Default, PartialEq)]
pub struct ErrorNote {
    /// The provider's text, cut at 2,000 characters and marked.
    pub message: Option<String>,
    /// The provider's type, cut likewise.
    pub error_type: Option<String>,
    /// The HTTP status.
    pub http_status: Option<i32>,
}

impl ErrorNote {
    /// What an earlier answer said stays, unless there is something new.
    pub fn over(self, earlier: ErrorNote) -> ErrorNote {
        ErrorNote {
            message: self.message.or(earlier.message),
            error_type: self.error_type.or(earlier.error_type),
            http_status: self.http_status.or(earlier.http_status),
        }
    }
}

/// Writes a new operation.
pub fn insert(spi: &Spi, account: Held<'_>, new: &NewOperation<'_>) {
    activity::count(Activity::Grant(new.action));
    let written = spi.run(
        &INSERT,
        params![
            new.id,
            new.reserved_at,
            new.expires_at,
            new.counted_on,
            account.id(),
            new.prospect,
            new.action.name(),
            new.campaign
        ],
    );
    written.must_be(1, "send_operations");
    if new.beyond_credits {
        mark_beyond(spi, account, new.id);
    }
}

/// Notes that no known credit was left for an operation: its delivery proves the books wrong.
pub fn mark_beyond(spi: &Spi, account: Held<'_>, operation: OperationId) {
    spi.run(&MARK_BEYOND, params![account.id(), operation]);
}

/// Takes back an operation that this very call wrote and whose decision did not hold.
pub fn forget(spi: &Spi, account: Held<'_>, operation: OperationId) {
    spi.run(&FORGET, params![account.id(), operation]);
}

/// Reads an operation with its event.
///
/// # Errors
/// `SG102` when the account has no such operation.
pub fn read(account: &str, operation: OperationId) -> Result<JournalRow> {
    index_scan::now(&[&OPERATION, &EVENT], || {
        let key = params![account, operation];
        let row = OPERATION.one(key, |columns| read_operation(columns, operation));
        let mut row = row.ok_or_else(|| unknown(account, operation))?;
        EVENT.one(key, |columns| (row.event, row.chat_id) = (columns.nullable_uuid(), columns.nullable()));
        Ok(row)
    })
}

/// Reads an operation with its event from the columns after its key.
fn read_columns(row: &mut Row, id: OperationId) -> JournalRow {
    let operation = read_operation(row, id);
    JournalRow { event: row.nullable_uuid(), chat_id: row.nullable(), ..operation }
}

/// The state of an operation, without its account being held; none where the journal does not know it.
pub fn state(account: &str, operation: OperationId) -> Result<Option<OperationState>> {
    index_scan::now(&[&OPERATION], || {
        let key = params![account, operation];
        Ok(OPERATION.one(key, |columns| read_operation(columns, operation).operation.state))
    })
}

/// Whether an operation was delivered so long ago that only its event is left of it.
pub fn is_only_proven(account: &str, operation: OperationId) -> Result<bool> {
    index_scan::now(&[&OPERATION, &EVENT], || {
        let key = params![account, operation];
        Ok(OPERATION.one(key, |_| ()).is_none() && EVENT.one(key, |_| ()).is_some())
    })
}

fn read_operation(row: &mut Row, id: OperationId) -> JournalRow {
    let mut operation = Operation {
        id,
        action: row.one_of(Action::parse),
        state: row.one_of(OperationState::parse),
        counted_on: row.day(),
        reserved_at: row.instant(),
        expires_at: row.instant(),
        outcome: row.nullable::<&str>().and_then(Outcome::parse),
        is_attempt: row.one_of(Origin::parse) == Origin::Gate,
        listed: row.nullable_instant().is_some(),
        settled_at: None,
        beyond_credits: false,
    };
    let (prospect, campaign, step) = (row.value(), row.nullable(), read_step(row));
    let awaited = row.nullable().unwrap_or(false);
    let settled_at = row.nullable_instant();
    operation.settled_at = settled_at.filter(|_| !operation.state.is_unresolved());
    operation.beyond_credits = row.nullable().unwrap_or(false);
    JournalRow { operation, prospect, campaign, step, awaited, event: None, chat_id: None }
}

/// Reads `attempt` and `step`. What an older version handed out is step 1 and does not say so.
fn read_step(row: &mut Row) -> Option<i16> {
    let (attempt, step): (Option<i16>, Option<i16>) = (row.nullable(), row.nullable());
    attempt.map(|_| step.unwrap_or(1))
}

/// Moves an operation on from the state it was read in.
///
/// # Errors
/// `SG102` when it has been pruned since.
pub fn settle(
    spi: &Spi,
    account: Held<'_>,
    operation: &Operation,
    state: OperationState,
    outcome: Option<Outcome>,
    note: &ErrorNote,
    now: Instant,
) -> Result<()> {
    commit::synchronously();
    let written = spi.run(
        &SETTLE,
        params![
            account.id(),
            operation.id,
            operation.state.name(),
            state.name(),
            now,
            outcome.map(Outcome::name),
            note.message.as_ref(),
            note.error_type.as_ref(),
            note.http_status
        ],
    );
    activity::count(settled(operation.action, state, outcome));
    // No other session has settled it, but prune may have removed an old one meanwhile.
    if written.count() == 1 { Ok(()) } else { Err(unknown(account.id(), operation.id)) }
}

/// What is counted of a settled operation.
pub fn settled(action: Action, state: OperationState, outcome: Option<Outcome>) -> Activity {
    match outcome {
        Some(outcome) if state != OperationState::Delivered => Activity::Failure(action, outcome),
        _ => Activity::Delivery(action),
    }
}

/// Moves an operation on to delivered and writes its event, whose id it returns.
///
/// # Errors
/// `SG102` when it has been pruned since.
pub fn deliver(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    chat_id: Option<&str>,
    occurred_at: Instant,
    now: Instant,
) -> Result<Id> {
    commit::synchronously();
    let (op, id) = (&row.operation, ids::fresh());
    let (state, event_type) = (op.state.name(), op.action.event_type());
    let values = params![account.id(), op.id, state, now, id, occurred_at, event_type, chat_id];
    let written = spi.run(&DELIVER, values);
    activity::count(Activity::Delivery(op.action));
    if written.count() == 1 { Ok(id) } else { Err(unknown(account.id(), op.id)) }
}

/// Cuts provider text at the limit and marks the cut.
pub fn cut(text: &str) -> String {
    match text.char_indices().nth(TEXT_CHARACTERS_MAX) {
        Some((end, _)) => format!("{}{CUT_MARK}", &text[..end]),
        None => text.to_owned(),
    }
}

/// Raises an error where the table is not as the gate needs it, for statements that read it without a look-up.
pub fn must_be_plain() {
    OPERATION.must_be_plain();
}

/// The error for an operation that the account does not have.
fn unknown(account: &str, operation: OperationId) -> Error {
    must_be_plain();
    Error::new(
        Code::UnknownOperation,
        format!("unknown operation: {} on account \"{}\"", ids::show(operation), shown(account)),
        "An operation is known by its account and its id together, from the moment reserve committed.",
        "Pass the operation_id that reserve returned and the same account_id; if the reserve was rolled back, there is nothing to settle.",
    )
}
