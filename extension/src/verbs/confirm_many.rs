//! `confirm_many`.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, check_text, is_blank, sql_statements};
use crate::postgres::ids::{self, Id};
use crate::postgres::param::{Element, array};
use crate::postgres::statement::Spi;
use crate::settle::batch::{Batch, Keys, at};
use crate::settle::delivery::{Report, check_same_chat, log_delivery, plan, warn_unproven};
use crate::tables::events::{self, Event};
use crate::tables::journal::ErrorNote;
use sendgate_decision::settle::Failure;

sql_statements!(sendgate_confirm_many, pg_finfo_sendgate_confirm_many, confirm_many);

fn confirm_many(args: &Args) -> Answer {
    let keys = Keys::read(args)?;
    let chats: Option<Vec<Option<String>>> = args.optional(2);
    let chats = keys.optional(chats, "chat_ids")?;
    let chats: Vec<Option<&str>> =
        chats.iter().map(|chat| chat.as_deref().filter(|text| !is_blank(text))).collect();
    for (i, chat) in chats.iter().enumerate() {
        chat.map(|text| at(i, check_text(text, "chat_id", TEXT_CHARACTERS_MAX))).transpose()?;
    }
    let events = Spi::connect(|spi| settle(spi, &keys, &chats))?;
    Ok(array(Element::Uuid, events))
}

fn settle(spi: &Spi, keys: &Keys, chats: &[Option<&str>]) -> Result<Vec<Option<Id>>> {
    let mut batch = Batch::hold(spi, keys)?;
    let mut answers = Vec::with_capacity(chats.len());
    let mut events = Vec::new();
    for (i, chat) in chats.iter().enumerate() {
        let report = Report {
            account: &keys.accounts[i],
            operation: keys.operations[i],
            chat_id: *chat,
            delivered_at: None,
            event_follows: false,
            by_operator: false,
        };
        answers.push(at(i, deliver(spi, &mut batch, i, &report, &mut events))?);
    }
    let now = batch.now;
    batch.write();
    events::insert_many(spi, &events, now);
    Ok(answers)
}

/// One delivery; the id of its event, or none where it is not proven.
fn deliver<'a>(
    spi: &Spi,
    batch: &mut Batch<'a>,
    i: usize,
    report: &Report<'a>,
    events: &mut Vec<Event<'a>>,
) -> Result<Option<Id>> {
    let row = batch.row(i);
    if row.event.is_some() {
        check_same_chat(row, report.operation, report.chat_id)?;
        return Ok(row.event);
    }
    let Some(planned) = plan(report, &ErrorNote::default(), batch.account(i), row, batch.now)? else {
        warn_unproven(report);
        return Ok(None);
    };
    log_delivery(spi, batch.held(i), row, batch.account(i), &planned, batch.now);
    let event = Event {
        id: ids::fresh(),
        account: batch.held(i),
        operation: row.operation,
        prospect: row.prospect.clone(),
        campaign: row.campaign.clone(),
        chat_id: report.chat_id,
        occurred_at: planned.occurred_at,
    };
    let changes = planned.changes(batch.account(i));
    let error = planned.note.message.clone();
    batch.enrollment(i, planned.unproven.then_some(Failure::UNPROVEN), error, None);
    let settled = planned.settled;
    batch.settle(i, settled.state, settled.outcome, planned.note, changes.then_some(settled.account));
    if planned.unproven {
        warn_unproven(report);
        return Ok(None);
    }
    let id = event.id;
    batch.proven(i, id, report.chat_id);
    events.push(event);
    Ok(Some(id))
}
