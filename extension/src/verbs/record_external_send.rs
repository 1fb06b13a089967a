//! `record_external_send`: a send that did not pass the gate, journalled and counted like any other.

use crate::postgres::function::{Answer, Args, null_argument, sql_function};
use crate::postgres::param::IntoParam;
use crate::postgres::statement::Spi;
use crate::settle::external::{ExternalSend, Recorded, check_chat_id, journal_send};

sql_function!(sendgate_record_external_send, pg_finfo_sendgate_record_external_send, record_external_send);

fn record_external_send(args: &Args) -> Answer {
    let action = args.action(1)?;
    let send = ExternalSend {
        account: args.id(0, "account_id")?,
        action,
        prospect: args.id(2, "prospect_id")?,
        chat_id: check_chat_id(action, args.optional(3))?,
        campaign: None,
        occurred_at: args.optional_instant(4, "occurred_at")?.ok_or_else(|| null_argument("occurred_at"))?,
        event_follows: false,
    };
    Ok(match Spi::connect(|spi| journal_send(spi, &send))? {
        Recorded::Already(event) | Recorded::Now { event, .. } => event.param(),
    })
}
