//! `record_credit_balance`: tells what the provider's own balance page or API says.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, show_instant, sql_function};
use crate::postgres::statement::Spi;
use crate::settle::known_credits::let_pass;
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::breaker_log::{self, BreakerLine};
use crate::tables::config;
use crate::tables::credit_balances::{self, Line};
use crate::tables::credits;
use crate::tables::dispatch_queue;
use crate::tables::enrollments;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::ClearReason;
use sendgate_decision::clock::{Instant, credit_period_start};
use sendgate_decision::credits::journal::{Told, is_logged, tell};
use sendgate_decision::credits::{BALANCE_MAX, Observation};
use sendgate_decision::names::Action;
use sendgate_decision::settle::CLOCK_SKEW_MAX;

sql_function!(sendgate_record_credit_balance, pg_finfo_sendgate_record_credit_balance, record_credit_balance);

fn record_credit_balance(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let balance = args.number(1, "balance", 0, BALANCE_MAX)?;
    let observed_at = args.optional_instant(2, "observed_at")?;
    let note = args.note(3)?;
    Spi::connect(|spi| record(spi, account, balance, observed_at, note))?;
    VOID
}

fn record(
    spi: &Spi,
    account: &str,
    balance: i32,
    observed_at: Option<Instant>,
    note: Option<&str>,
) -> Result<()> {
    let (held, mut row) = accounts::hold(account)?;
    let now = clock::now();
    let observed_at = observed_at.unwrap_or(now);
    if observed_at > now.plus(CLOCK_SKEW_MAX) {
        return Err(in_the_future(observed_at, now));
    }
    let told = Observation { balance, observed_at: observed_at.min(now) };
    // What has ended is no last balance.
    let rolled = credits::roll(spi, account, &mut row, now);
    let before = row.account.rolled(now);
    let sendings = credits::journal(spi, account, told.observed_at);
    let allowance = config::current(spi).allowance(&row.tier);
    let last = credit_balances::last(spi, held);
    let known = match tell(before.credits.as_ref(), told, &sendings, &before.calendar(), allowance, now) {
        Told::Older => {
            // The same call again tells nothing new.
            if last.is_none_or(|line| line.told != told) {
                credit_balances::write(spi, held, told, note, now);
            }
            return Ok(());
        }
        Told::Counts(known) => known,
    };
    let logged = |line: Line| (line.told.balance, line.recorded_at);
    if is_logged(last.map(logged), balance, now) {
        credit_balances::write(spi, held, told, note, now);
    }
    let mut after = before.clone();
    after.credits = known;
    let cleared = clear(&mut after, &told, now);
    if rolled || after != row.account {
        accounts::write_held(spi, held, row.version, &after)?;
    }
    if cleared {
        tell_cleared(spi, held, &before, note, now);
    } else if let_pass(&before, &after) {
        dispatch_queue::wake(spi, held, Some(Action::Inmail), now);
    }
    Ok(())
}

/// Clears a stamp of this period where the balance proves that there are credits again.
fn clear(after: &mut Account, told: &Observation, now: Instant) -> bool {
    let period = credit_period_start(after.credit_reset_day, now);
    let Some(stamp) = after.breaker.exhausted_at.filter(|&stamp| stamp >= period) else {
        return false;
    };
    after.breaker.cause.is_cleared_by(stamp, told, after.credits.as_ref()) && after.breaker.clear(now)
}

fn tell_cleared(spi: &Spi, account: Held<'_>, before: &Account, note: Option<&str>, now: Instant) {
    let (reason, exhausted_at) = (ClearReason::BalanceEvidence.name(), before.breaker.exhausted_at);
    let line = BreakerLine {
        account,
        reason,
        exhausted_at,
        prospect: None,
        campaign: None,
        note,
        cause: breaker_log::Cause::default(),
    };
    breaker_log::write(spi, "clear", &line, now);
    enrollments::release(spi, account, now);
}

fn in_the_future(observed_at: Instant, now: Instant) -> Error {
    Error::new(
        Code::TimeOutOfRange,
        format!("observed_at lies in the future: {}", show_instant(observed_at)),
        format!("It is {} now; up to five minutes ahead count as now.", show_instant(now)),
        "Pass the time at which the provider answered, with its time zone, or leave observed_at out.",
    )
}
