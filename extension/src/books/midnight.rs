//! `midnight_reset`: writes down what every read sees anyway, that a new day begins at 0. Safe at any
//! time, late, or twice: a row that is on its day already is left alone.

use crate::books::run::{self, Batch, Done, Job};
use crate::books::sweep;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_statements};
use crate::postgres::statement::Spi;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::many::{self, Busy};
use sendgate_decision::account::Account;
use sendgate_decision::clock::Day;

sql_statements!(sendgate_midnight_reset, pg_finfo_sendgate_midnight_reset, midnight_reset);

/// `date`'s own beginning is out of reach of any row.
const FIRST_DAY: Day = Day(-2_000_000);

/// The last sweep left no counters of an older day, except on accounts that another session held at that
/// moment, or that a transaction wrote which began before midnight and ended after the sweep. For those the
/// sweep reads the days of a week again. Accounts that are idle for longer cost nothing.
const DAYS_BACK: i32 = 7;

fn midnight_reset(args: &Args) -> Answer {
    let limit = run::batch_size(args)?;
    run::run(Job::Midnight, |spi, batch| reset(spi, batch, limit))
}

fn reset(spi: &Spi, batch: &Batch, limit: i32) -> Result<Done> {
    let today = batch.now.day();
    let first = batch.finished_on().map_or(FIRST_DAY, |last| Day(last.0 - DAYS_BACK));
    let members = sweep::read(spi, (first, Day(today.0 - 1)), batch.from.as_ref(), limit);
    let next = sweep::next(&members, limit);
    let is_stale = |account: &Account| account.day < today && account.sent_today.iter().any(|&sent| sent > 0);
    let stale = members.iter().filter(|member| is_stale(&member.row.account));
    let stale = stale.map(|member| member.id.as_str());
    let rolled: Vec<(Held<'_>, Account)> = many::hold(spi, stale, Busy::Skip)?
        .into_iter()
        .filter(|(_, row)| is_stale(&row.account))
        .map(|(held, row)| (held, row.account.rolled(batch.now)))
        .collect();
    let written: Vec<(Held<'_>, &Account)> = rolled.iter().map(|(held, account)| (*held, account)).collect();
    many::write(spi, &written);
    Ok(Done { checked: members.len() as i64, changed: rolled.len() as i64, next, ..Done::default() })
}
