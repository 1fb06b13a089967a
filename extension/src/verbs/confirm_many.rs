//! `confirm_many`: a batch of deliveries, all of them or none, in one statement a table.

use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, check_text, is_blank, sql_statements};
use crate::postgres::ids::Id;
use crate::postgres::param::{Element, array};
use crate::postgres::statement::Spi;
use crate::settle::batch::{Batch, Keys, at};
use crate::settle::delivery::Report;
use crate::tables::events;
use crate::tables::journal::ErrorNote;

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
        answers.push(at(i, batch.deliver(i, &report, &ErrorNote::default(), &mut events))?);
    }
    let now = batch.now;
    batch.write();
    events::insert_many(spi, &events, now);
    Ok(answers)
}
