//! `forget_credit_balance`: an operator ends the counting of credits; the account is again one without a told
//! balance.

use crate::postgres::function::{Answer, Args, VOID, show_instant, sql_function};
use crate::postgres::statement::Spi;
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::breaker_log::{self, BreakerLine};
use crate::tables::dispatch_queue;
use crate::tables::enrollments;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::names::Action;
use serde_json::{Value, json};

sql_function!(sendgate_forget_credit_balance, pg_finfo_sendgate_forget_credit_balance, forget_credit_balance);

fn forget_credit_balance(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    Spi::connect(|spi| {
        let mut cleared = false;
        let done = accounts::change(spi, account, |row, now| {
            row.credits = None;
            // Our own stamp goes with the counting; the provider's stands.
            cleared = row.balance_lets_go(now) && row.breaker.clear(now);
            Ok(())
        })?;
        let Some(credits) = done.before.credits else {
            return Ok(());
        };
        if cleared {
            let (reason, exhausted_at) = (ClearReason::Manual.name(), done.before.breaker.exhausted_at);
            let (prospect, campaign) = (None, None);
            let line = BreakerLine {
                account: done.held,
                reason,
                exhausted_at,
                prospect,
                campaign,
                note,
                cause: breaker_log::Cause::default(),
            };
            breaker_log::write(spi, "clear", &line, done.at);
            enrollments::release(spi, done.held, done.at);
        } else {
            dispatch_queue::wake(spi, done.held, Some(Action::Inmail), done.at);
        }
        let before =
            json!({ "credits_left": credits.left, "observed_at": show_instant(credits.observed_at) });
        admin_log::write(
            spi,
            "forget_credit_balance",
            Some(account),
            Some("credits_left"),
            (before, Value::Null),
            note,
        );
        Ok(())
    })?;
    VOID
}
