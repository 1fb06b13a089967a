//! `cooldown_log`: every cooldown of an account or one of its actions that was set, extended or cleared, with
//! the answer or the person that caused it.

use crate::postgres::actor;
use crate::postgres::ids;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::journal::ErrorNote;
use crate::tables::webhook_outbox::{self, Event};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, OperationId};
use sendgate_decision::settle::CooldownChange;

static WRITE: Statement = Statement::new(
    "INSERT INTO sendgate.cooldown_log (id, at, account_id, action, cause, until, operation_id, http_status,
         error_type, error, actor, note)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    types![uuid, instant, text, text, text, instant, uuid, int4, text, text, text, text],
);

/// Why a cooldown changed.
#[derive(Clone, Copy, Default)]
pub struct Why<'a> {
    /// The operation whose answer changed it; none where a person or a job did.
    pub operation: Option<OperationId>,
    /// The provider's answer.
    pub error: Option<&'a ErrorNote>,
    /// An operator's note.
    pub note: Option<&'a str>,
}

/// Logs the changes in their order.
pub fn write(spi: &Spi, account: Held<'_>, changes: &[CooldownChange], why: Why<'_>, now: Instant) {
    if changes.is_empty() {
        return;
    }
    let actor = actor::name();
    for change in changes {
        let id = ids::fresh();
        spi.run(
            &WRITE,
            params![
                id,
                now,
                account.id(),
                change.action.map(Action::name),
                change.cause.name(),
                change.until,
                why.operation,
                why.error.and_then(|error| error.http_status),
                why.error.and_then(|error| error.error_type.as_deref()),
                why.error.and_then(|error| error.message.as_deref()),
                &actor,
                why.note
            ],
        )
        .must_be(1, "cooldown_log");
        if change.until.is_some() {
            webhook_outbox::tell(spi, Event::CooldownSet, &[(account.id(), id)], now);
        }
    }
}
