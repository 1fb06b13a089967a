//! Settles an operation as delivered: what `confirm`, `confirm_many`, `resolve_operation`, `settle_send` and
//! an external echo share.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result, warn};
use crate::postgres::function::{show_instant, shown};
use crate::postgres::ids::{self, Id};
use crate::postgres::statement::Spi;
use crate::settle::cooldowns;
use crate::settle::known_credits;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::alerts;
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::cooldown_log::Why;
use crate::tables::credits;
use crate::tables::dispatch_queue;
use crate::tables::enrollments;
use crate::tables::events;
use crate::tables::journal::{self, ErrorNote, JournalRow};
use sendgate_decision::account::Account;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{Action, OperationId, OperationState};
use sendgate_decision::settle::{CLOCK_SKEW_MAX, Delivery, Failure, Settled, deliver};

/// The error that the journal notes for an InMail that was confirmed without proof.
const UNPROVEN: &str = "confirmed without a chat_id";

/// A delivery as it is reported.
pub struct Report<'a> {
    /// The account.
    pub account: &'a str,
    /// The operation that was delivered.
    pub operation: OperationId,
    /// The provider's proof, not blank.
    pub chat_id: Option<&'a str>,
    /// When it was delivered, as the caller says; none = now.
    pub delivered_at: Option<Instant>,
    /// The caller has its event already and writes it itself.
    pub event_follows: bool,
    /// Whether it is an operator's verdict, which says nothing about failures in a row.
    pub by_operator: bool,
}

/// Settles the operation as delivered. Holds the account also where its counters do not change.
pub fn settle_delivered(spi: &Spi, report: &Report<'_>, note: &ErrorNote) -> Result<Option<Id>> {
    let (held, mut account) = accounts::hold(report.account)?;
    let row = journal::read(report.account, report.operation)?;
    if row.event.is_some() {
        check_same_chat(&row, report.operation, report.chat_id)?;
        return Ok(row.event);
    }
    let now = clock::now();
    if row.operation.action == Action::Inmail {
        credits::roll(spi, report.account, &mut account, now);
    }
    settle_held(spi, report, note, (held, &account), &row, now)
}

fn settle_held(
    spi: &Spi,
    report: &Report<'_>,
    note: &ErrorNote,
    (held, before): (Held<'_>, &AccountRow),
    row: &JournalRow,
    now: Instant,
) -> Result<Option<Id>> {
    let Some(planned) = plan(report, note, &before.account, row, now)? else {
        warn_unproven(report);
        return Ok(None);
    };
    let (settled, op) = (&planned.settled, &row.operation);
    let whole = settled.state == OperationState::Delivered
        && !report.event_follows
        && planned.note == ErrorNote::default();
    let event = if whole {
        Some(journal::deliver(spi, held, row, report.chat_id, planned.occurred_at, now)?)
    } else {
        journal::settle(spi, held, op, settled.state, settled.outcome, &planned.note, now)?;
        None
    };
    if planned.changes(&before.account) {
        accounts::write_held(spi, held, before.version, &settled.account)?;
    }
    log_delivery(spi, held, row, &before.account, &planned, now);
    if planned.unproven {
        enrollments::failed(spi, held, row, &Failure::UNPROVEN, &settled.account, &planned.note, now);
        warn_unproven(report);
        return Ok(None);
    }
    // An operator may have settled it as sent before its proof came: then its work is done, and one send ends one step.
    if op.state != OperationState::Delivered {
        enrollments::delivered(spi, held, row, now);
    }
    if report.event_follows {
        return Ok(None);
    }
    let (chat_id, at) = (report.chat_id, planned.occurred_at);
    Ok(event.or_else(|| Some(events::insert(spi, held, row, chat_id, at, now))))
}

/// What a delivery changes.
pub struct Planned {
    /// Account and operation afterwards.
    pub settled: Settled,
    /// What the journal notes beside it.
    pub note: ErrorNote,
    /// When it was delivered.
    pub occurred_at: Instant,
    /// An InMail without a chat id: parked, no event.
    pub unproven: bool,
}

impl Planned {
    /// Whether the account is to be written. Also where only an older day's slot came back: a reserve
    /// that waits must see that the journal has changed.
    pub fn changes(&self, before: &Account) -> bool {
        self.settled.account != *before || self.settled.after_rollback
    }
}

/// Decides what a delivery of an operation without an event changes; none when it brings no proof
/// for what is settled already.
///
/// # Errors
/// `SG007` when it lies before the operation.
pub fn plan(
    report: &Report<'_>,
    note: &ErrorNote,
    account: &Account,
    row: &JournalRow,
    now: Instant,
) -> Result<Option<Planned>> {
    let op = &row.operation;
    let proven = report.chat_id.is_some();
    let unproven = op.action == Action::Inmail && !proven;
    if unproven && op.state != OperationState::Reserved && op.state != OperationState::Released {
        return Ok(None);
    }
    if report.delivered_at.is_some_and(|at| at < op.reserved_at.plus(-CLOCK_SKEW_MAX)) {
        return Err(Error::new(
            Code::TimeOutOfRange,
            "delivered_at lies before the operation was reserved",
            format!("It was reserved at {}.", show_instant(op.reserved_at)),
            "Pass the provider's time stamp with its time zone, or leave delivered_at out.",
        ));
    }
    // A clock that was put back since must not lose a delivery: it did not happen before its grant.
    let occurred_at = report.delivered_at.unwrap_or(now.max(op.reserved_at));
    // What an operator reads about an InMail that is parked because of this confirm.
    let message = if unproven { Some(UNPROVEN.to_owned()) } else { note.message.clone() };
    let note = ErrorNote { message, error_type: note.error_type.clone(), http_status: note.http_status };
    let settled =
        deliver(account, op, Delivery { proven, occurred_at, by_operator: report.by_operator }, now);
    Ok(Some(Planned { settled, note, occurred_at, unproven }))
}

/// Logs what a delivery did to the breaker, releases what a cleared one had deferred, and raises the
/// alert about a slot that had been given back.
pub fn log_delivery(
    spi: &Spi,
    account: Held<'_>,
    row: &JournalRow,
    before: &Account,
    planned: &Planned,
    now: Instant,
) {
    let settled = &planned.settled;
    let line = BreakerLine {
        account,
        reason: "",
        exhausted_at: None,
        prospect: Some(&row.prospect),
        campaign: row.campaign.as_deref(),
        note: None,
        cause: Cause { operation: Some(row.operation.id), ..Cause::default() },
    };
    breaker_log::write_changes(spi, &settled.breaker, before.breaker.exhausted_at, None, &line, now);
    if !settled.breaker.is_empty() {
        enrollments::release(spi, account, now);
    } else if row.operation.action == Action::Inmail && known_credits::wants_a_look(before, &settled.account)
    {
        dispatch_queue::wake(spi, account, Some(Action::Inmail), now);
    }
    let why = Why { operation: Some(row.operation.id), ..Why::default() };
    cooldowns::tell(spi, account, &settled.account, &settled.cooldowns, why, now);
    if settled.state == OperationState::Delivered {
        cooldowns::resolve_unavailable(spi, account, before, row.operation.action, now);
    }
    if settled.after_rollback {
        let op = &row.operation;
        let detail = format!(
            "operation {} for prospect \"{}\" was given back and then delivered all the same; it counts again on {}",
            ids::show(op.id),
            shown(&row.prospect),
            show_day(op.counted_on)
        );
        alerts::add(spi, account, "delivered_after_rollback", op.counted_on, &detail, now);
    }
}

fn show_day(day: Day) -> String {
    let (year, month, day) = day.civil();
    format!("{year:04}-{month:02}-{day:02}")
}

/// A repeated confirm is a no-op, unless it claims another chat.
pub fn check_same_chat(row: &JournalRow, operation: OperationId, chat_id: Option<&str>) -> Result<()> {
    let Some(claimed) = chat_id.filter(|&claimed| Some(claimed) != row.chat_id.as_deref()) else {
        return Ok(());
    };
    Err(Error::new(
        Code::ChatIdConflict,
        format!(
            "operation {} was confirmed with another chat_id: \"{}\"",
            ids::show(operation),
            shown(claimed)
        ),
        format!(
            "Its event has the chat_id {}.",
            row.chat_id.as_deref().map_or("null".to_owned(), |c| format!("\"{}\"", shown(c)))
        ),
        "One operation is one send. If the provider accepted two, record the second with its own operation.",
    ))
}

/// Warns that a delivery was not proven.
pub fn warn_unproven(report: &Report<'_>) {
    warn(Error::new(
        Code::UnprovenDelivery,
        format!("operation {} has no chat_id and is not proven", ids::show(report.operation)),
        "The provider may answer 201 without a chat_id. The slot stays taken, no event is written, and the operation is listed in sendgate.operations_unresolved.",
        "Confirm it with its chat_id once it is known, or let an operator settle it with resolve_operation.",
    ));
}
