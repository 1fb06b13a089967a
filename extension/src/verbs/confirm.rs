//! `confirm`: proves a delivery and writes its event.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, TEXT_CHARACTERS_MAX, check_text, is_blank, sql_function};
use crate::postgres::param::IntoParam;
use crate::postgres::statement::Spi;
use crate::settle::delivery::{Report, settle_delivered};
use crate::tables::journal::ErrorNote;
use sendgate_decision::clock::{Instant, MINUTE};
use sendgate_decision::settle::CLOCK_SKEW_MAX;

sql_function!(sendgate_confirm, pg_finfo_sendgate_confirm, confirm);

fn confirm(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let operation = args.uuid(1, "operation_id")?;
    let chat_id = args.optional::<&str>(2).filter(|text| !is_blank(text));
    let chat_id = chat_id.map(|text| check_text(text, "chat_id", TEXT_CHARACTERS_MAX)).transpose()?;
    let delivered_at = args.optional_instant(3, "delivered_at")?;
    let event = Spi::connect(|spi| {
        let now = clock::now();
        check_delivered_at(delivered_at, now)?;
        let report =
            Report { account, operation, chat_id, delivered_at, event_follows: false, by_operator: false };
        settle_delivered(spi, &report, &ErrorNote::default())
    })?;
    Ok(event.param())
}

fn check_delivered_at(delivered_at: Option<Instant>, now: Instant) -> Result<()> {
    if delivered_at.is_some_and(|at| at > now.plus(CLOCK_SKEW_MAX)) {
        return Err(Error::new(
            Code::TimeOutOfRange,
            "delivered_at lies in the future",
            format!("A provider's clock may be ahead by at most {} minutes.", CLOCK_SKEW_MAX / MINUTE),
            "Pass the provider's time stamp with its time zone, or leave delivered_at out.",
        ));
    }
    Ok(())
}
