//! `resolve_operation`: an operator settles an operation whose outcome is unknown.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, VOID, sql_function};
use crate::postgres::gucs;
use crate::postgres::ids;
use crate::postgres::statement::Spi;
use crate::settle::delivery::{self, Report, settle_delivered};
use crate::settle::failure::offer_permit;
use crate::settle::known_credits::tell_resolved;
use crate::settle::verdict::{Verdict, is_awaited};
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::credits;
use crate::tables::enrollments;
use crate::tables::journal::{self, JournalRow};
use sendgate_decision::names::{Action, OperationId, OperationState};
use sendgate_decision::settle::{Failure, fail};
use serde_json::json;

sql_function!(sendgate_resolve_operation, pg_finfo_sendgate_resolve_operation, resolve_operation);

fn resolve_operation(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let operation = args.uuid(1, "operation_id")?;
    let sent: bool = args.required(2, "sent")?;
    let chat_id = args.optional_text(3, "chat_id", TEXT_CHARACTERS_MAX)?;
    let note = args.note(4)?;
    Spi::connect(|spi| resolve(spi, account, operation, chat_id, Verdict { sent, note }))?;
    VOID
}

fn resolve(
    spi: &Spi,
    account: &str,
    operation: OperationId,
    chat_id: Option<&str>,
    verdict: Verdict<'_>,
) -> Result<()> {
    let (held, mut before) = accounts::hold(account)?;
    let row = journal::read(account, operation)?;
    let op = &row.operation;
    let now = clock::now();
    credits::roll(spi, account, &mut before, now);
    let sent = verdict.sent;
    let repeats = op.state == verdict.state();
    // A sent InMail without proof has no event yet; its chat id may still come.
    let proof_arrives = repeats && sent && row.event.is_none() && chat_id.is_some();
    if repeats && !proof_arrives {
        return if sent { delivery::check_same_chat(&row, operation, chat_id) } else { Ok(()) };
    }
    if !is_awaited(op, now) && !proof_arrives {
        return Err(not_unresolved(&row));
    }
    let error_note = verdict.error_note();
    if sent && (chat_id.is_some() || op.action != Action::Inmail) {
        let delivered_at = Some(op.reserved_at);
        let report =
            Report { account, operation, chat_id, delivered_at, event_follows: false, by_operator: true };
        settle_delivered(spi, &report, &error_note)?;
    } else if sent {
        // The slot stays taken, but nothing proves the delivery, so no event is written.
        journal::settle(spi, held, op, OperationState::Delivered, None, &error_note, now)?;
        enrollments::delivered(spi, held, &row, now);
    } else {
        let settled = fail(&before.account, op, &Failure::NOT_SENT, &gucs::limits(), now);
        journal::settle(spi, held, op, settled.state, settled.outcome, &error_note, now)?;
        accounts::write_held(spi, held, before.version, &settled.account)?;
        tell_resolved(spi, held, &row, &before.account, &settled, now);
        enrollments::failed(spi, held, &row, &Failure::NOT_SENT, &settled.account, &error_note, now);
        offer_permit(spi, held, &row, &before.account, &settled.account, now);
    }
    let change = (json!(op.state.name()), json!(verdict.state().name()));
    admin_log::write(
        spi,
        "resolve_operation",
        Some(account),
        Some(&ids::show(operation)),
        change,
        verdict.note,
    );
    Ok(())
}

fn not_unresolved(row: &JournalRow) -> Error {
    let op = &row.operation;
    Error::new(
        Code::NotUnresolved,
        format!("operation {} is not waiting for an operator", ids::show(op.id)),
        format!(
            "Its state is {}; only expired and indeterminate operations are settled by hand.",
            op.state.name()
        ),
        "sendgate.operations_unresolved lists what waits. An operation in flight is still the worker's; use confirm for a delivery that turned up late.",
    )
}
