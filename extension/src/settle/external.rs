//! `record_external_send`: a send that did not pass the gate, made by hand or told by a provider's
//! webhook, journalled and counted like any other.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{
    TEXT_CHARACTERS_MAX, check_text, is_blank, null_argument, show_instant, shown,
};
use crate::postgres::gucs;
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::settle::delivery::{Report, settle_delivered};
use crate::tables::accounts::held::Held;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::activity::{self, Activity};
use crate::tables::breaker_log::{self, BreakerLine, Cause};
use crate::tables::config;
use crate::tables::credits;
use crate::tables::enrollments;
use crate::tables::events;
use crate::tables::journal::{self, ErrorNote, JournalRow};
use pgrx::datum::Uuid;
use sendgate_decision::clock::{DAY, Day, Instant};
use sendgate_decision::external::{Candidate, Reading, Told, counts_at, read, record};
use sendgate_decision::names::{Action, OperationId, OperationState, Origin, Outcome};
use sendgate_decision::settle::Operation;

/// Under which the ids of external operations are made. Never changes: the same send must get the
/// same id from every version.
const NAMESPACE: uuid::Uuid = uuid::uuid!("5c2a6f0e-9d1b-4e67-8a3f-7b1d40c9e2f5");

/// How far the stamps of one old InMail may lie apart: its event is looked for in this time alone.
const STAMPS_DIFFER_MAX: i64 = 7 * DAY;

/// What is known of the send already. Its event is kept longer than the journal, or the other way
/// round.
static RECORDED: Statement = Statement::new(
    "SELECT (SELECT e.id FROM sendgate.linkedin_events e
             WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.operation_id OPERATOR(pg_catalog.=) $2),
            (SELECT o.operation_id FROM sendgate.send_operations o
             WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.operation_id OPERATOR(pg_catalog.=) $2)",
    types![text, uuid],
);

/// What the journal has for the same prospect and action, and whether its events have this chat id. A
/// chat id on one side only is another one, not an unknown one.
static CANDIDATES: Statement = Statement::new(
    "SELECT o.operation_id, o.origin, o.state, o.outcome, o.reserved_at, o.expires_at, o.settled_at, e.id,
            COALESCE(e.chat_id OPERATOR(pg_catalog.=) $4, e.chat_id IS NULL AND $4 IS NULL)
     FROM sendgate.send_operations o
     LEFT JOIN sendgate.linkedin_events e
         ON e.account_id OPERATOR(pg_catalog.=) $1 AND e.operation_id OPERATOR(pg_catalog.=) o.operation_id
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND o.prospect_id OPERATOR(pg_catalog.=) $2
       AND o.action OPERATOR(pg_catalog.=) $3",
    types![text, text, text, text],
);

static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on,
         account_id, prospect_id, action, state, origin, campaign_id, settled_at)
     VALUES ($1, $2, $9, $3, $4, $5, $6, 'delivered', 'external', $7, $8)",
    types![uuid, instant, date, text, text, text, text, instant, instant],
);

/// A send that did not pass the gate.
pub struct ExternalSend<'a> {
    /// The account.
    pub account: &'a str,
    /// The action.
    pub action: Action,
    /// Whom to.
    pub prospect: &'a str,
    /// The provider's proof, not blank; an InMail has one.
    pub chat_id: Option<&'a str>,
    /// The campaign, if there is one.
    pub campaign: Option<&'a str>,
    /// When it was sent.
    pub occurred_at: Instant,
    /// The caller has its event already and writes it itself.
    pub event_follows: bool,
}

/// The result of an external send.
pub enum Recorded {
    /// It was told before, by this event where that is still there; nothing has changed.
    Already(Option<Id>),
    /// It is journalled now.
    Now {
        /// The event, unless it follows.
        event: Option<Id>,
        /// The operation that it is the delivery of.
        operation: OperationId,
        /// The day that operation counts on.
        counted_on: Day,
        /// The campaign of that operation.
        campaign: Option<String>,
    },
}

/// Passes a chat id, or none. An InMail without one is not proven and cannot be recorded.
///
/// # Errors
/// `SG001`, `SG002`.
pub fn check_chat_id(action: Action, chat_id: Option<&str>) -> Result<Option<&str>> {
    match (action, chat_id) {
        (Action::Inmail, None) => Err(null_argument("chat_id")),
        (Action::Inmail, Some(text)) => check_text(text, "chat_id", TEXT_CHARACTERS_MAX).map(Some),
        (_, Some(text)) if !is_blank(text) => check_text(text, "chat_id", TEXT_CHARACTERS_MAX).map(Some),
        _ => Ok(None),
    }
}

/// Journals and counts a send once; settles the operation whose echo it is.
///
/// # Errors
/// `SG007` for a send that has not happened yet, and those of [`accounts::hold`].
pub fn journal_send(spi: &Spi, send: &ExternalSend<'_>) -> Result<Recorded> {
    let (held, mut before) = accounts::hold(send.account)?;
    let now = clock::now();
    credits::roll(spi, send.account, &mut before, now);
    // A provider's clock may be ahead by a little: such a send counts now.
    let Some(occurred_at) = counts_at(send.occurred_at, now) else {
        return Err(in_the_future(send.occurred_at, now));
    };
    let id = operation_id(send);
    let mut known = spi.run(&RECORDED, params![send.account, id]).first().expect("one row");
    let (event, operation) = (known.nullable_uuid(), known.nullable_uuid());
    if event.or(operation).is_some() {
        return Ok(Recorded::Already(event));
    }
    let told_at = send.occurred_at;
    let send = &ExternalSend { occurred_at, ..*send };
    let told = Told { action: send.action, has_chat_id: send.chat_id.is_some(), occurred_at, told_at };
    match read(&candidates(spi, send), &told, gucs::late_delivery()) {
        Reading::Known(event) => Ok(Recorded::Already(Some(event))),
        Reading::Delivers(operation) => deliver(spi, send, operation),
        Reading::New => match told_before(spi, send, now) {
            Some(event) => Ok(Recorded::Already(Some(event))),
            None => count(spi, send, (held, &before), (id, told_at), now),
        },
    }
}

fn in_the_future(occurred_at: Instant, now: Instant) -> Error {
    Error::new(
        Code::TimeOutOfRange,
        format!("occurred_at lies in the future: {}", show_instant(occurred_at)),
        format!("It is {} now; what has not happened yet counts on no day.", show_instant(now)),
        "Pass the provider's time stamp with its time zone.",
    )
}

/// The id of the operation, made of what makes it the same send.
fn operation_id(send: &ExternalSend<'_>) -> OperationId {
    let mut name = Vec::new();
    for field in [Some(send.account), Some(send.action.name()), Some(send.prospect), send.chat_id] {
        // A chat id that is missing is not an empty one; the lengths keep neighbours apart.
        let length = field.map_or(u32::MAX, |text| text.len() as u32);
        name.extend_from_slice(&length.to_be_bytes());
        name.extend_from_slice(field.unwrap_or_default().as_bytes());
    }
    name.extend_from_slice(&send.occurred_at.0.to_be_bytes());
    uuid::Uuid::new_v5(&NAMESPACE, &name).into_bytes()
}

fn candidates(spi: &Spi, send: &ExternalSend<'_>) -> Vec<Candidate> {
    let rows = spi.run(&CANDIDATES, params![send.account, send.prospect, send.action.name(), send.chat_id]);
    rows.iter()
        .map(|mut row| Candidate {
            id: *row.value::<Uuid>().as_bytes(),
            origin: row.one_of(Origin::parse),
            state: row.one_of(OperationState::parse),
            outcome: row.nullable::<&str>().and_then(Outcome::parse),
            reserved_at: row.instant(),
            expires_at: row.instant(),
            settled_at: row.nullable_instant(),
            event: row.nullable_uuid().zip(row.nullable()),
        })
        .collect()
}

/// The event of an InMail whose journal row may be pruned, by its chat id: a webhook that comes again rounds its
/// stamp. The journal keeps a month at least, so a younger InMail would have been found there.
fn told_before(spi: &Spi, send: &ExternalSend<'_>, now: Instant) -> Option<Id> {
    let chat = send.chat_id.filter(|_| send.action == Action::Inmail)?;
    let kept = i64::from(gucs::KEEP_DAYS_MIN) * DAY - STAMPS_DIFFER_MAX;
    if send.occurred_at > now.plus(-kept) {
        return None;
    }
    let between = (send.occurred_at.plus(-STAMPS_DIFFER_MAX), send.occurred_at.plus(STAMPS_DIFFER_MAX));
    events::of_chat(spi, (send.account, send.prospect, chat), between)
}

/// The echo of an operation that waits for its outcome, or for its proof.
fn deliver(spi: &Spi, send: &ExternalSend<'_>, operation: OperationId) -> Result<Recorded> {
    let row = journal::read(send.account, operation)?;
    let report = Report {
        account: send.account,
        operation,
        chat_id: send.chat_id,
        // It was not sent before its slot was taken; the clocks differ.
        delivered_at: Some(send.occurred_at.max(row.operation.reserved_at)),
        event_follows: send.event_follows,
        by_operator: false,
    };
    let event = settle_delivered(spi, &report, &ErrorNote::default())?;
    Ok(Recorded::Now { event, operation, counted_on: row.operation.counted_on, campaign: row.campaign })
}

/// A send of its own: counted, journalled and, where it is a proof, held up to the breaker.
fn count(
    spi: &Spi,
    send: &ExternalSend<'_>,
    (account, before): (Held<'_>, &AccountRow),
    (operation, told_at): (OperationId, Instant),
    now: Instant,
) -> Result<Recorded> {
    let tier = config::current(spi).tier_cap(&before.tier, send.action);
    let recorded = record(&before.account, send.action, send.occurred_at, &tier, now);
    let (occurred_at, counted_on) = (send.occurred_at, recorded.counted_on);
    // Always written: a reserve that waits must see that the journal has changed.
    accounts::write_held(spi, account, before.version, &recorded.account)?;
    let row = journal_row(send, operation, counted_on);
    // Work of the campaign that the application names is done: the prospect has got it.
    enrollments::delivered(spi, account, &row, now);
    let action = send.action.name();
    // An InMail is the same by its chat id, and known credits count it from when it occurred.
    let told_at = if send.action == Action::Inmail { occurred_at } else { told_at };
    let written = spi.run(
        &INSERT,
        params![
            operation,
            occurred_at,
            counted_on,
            account.id(),
            send.prospect,
            action,
            send.campaign,
            now,
            told_at
        ],
    );
    written.must_be(1, "send_operations");
    activity::count(Activity::Delivery(send.action));
    let line = BreakerLine {
        account,
        reason: "",
        exhausted_at: None,
        prospect: Some(send.prospect),
        campaign: send.campaign,
        note: None,
        cause: Cause { operation: Some(operation), ..Cause::default() },
    };
    let stamp = before.account.breaker.exhausted_at;
    breaker_log::write_changes(spi, &recorded.breaker, stamp, None, &line, now);
    if !recorded.breaker.is_empty() {
        enrollments::release(spi, account, now);
    }
    let event =
        (!send.event_follows).then(|| events::insert(spi, account, &row, send.chat_id, occurred_at, now));
    Ok(Recorded::Now { event, operation, counted_on, campaign: row.campaign })
}

fn journal_row(send: &ExternalSend<'_>, id: OperationId, counted_on: Day) -> JournalRow {
    let operation = Operation {
        id,
        action: send.action,
        state: OperationState::Delivered,
        counted_on,
        reserved_at: send.occurred_at,
        expires_at: send.occurred_at,
        outcome: None,
        is_attempt: false,
        listed: false,
        settled_at: None,
        beyond_credits: false,
    };
    let campaign = send.campaign.map(str::to_owned);
    JournalRow {
        operation,
        prospect: send.prospect.to_owned(),
        campaign,
        step: None,
        awaited: false,
        event: None,
        chat_id: None,
    }
}

/// The error for a send that the event log tells of already, where a row cannot be left out.
pub fn already_recorded(send: &ExternalSend<'_>, event: Option<Id>) -> Error {
    let event = event.map_or("an event that has been pruned since".to_owned(), |id| {
        format!("the event {}", ids::show(id))
    });
    Error::new(
        Code::AlreadyRecorded,
        format!("this {} to prospect \"{}\" is recorded already", send.action.name(), shown(send.prospect)),
        format!("It is {event} of account \"{}\"; a send counts once.", shown(send.account)),
        "Nothing is to be done. record_external_send returns the event that there is instead of raising this.",
    )
}
