//! `midnight_reset`: writes down what every read sees anyway, that a new day begins at 0. Safe at any
//! time, late, or twice: a row that is on its day already is left alone.

use sendgate_decision::account::Account;
use sendgate_decision::clock::Day;

use super::chunk;
use super::job::{self, Done, Held, Job};
use crate::accounts_write::write_many;
use crate::entry::{Answer, Args, sql_statements};
use crate::error::Result;
use crate::statement::Spi;

sql_statements!(sendgate_midnight_reset, pg_finfo_sendgate_midnight_reset, midnight_reset);

/// `date`'s own beginning is out of reach of any row.
const FIRST_DAY: Day = Day(-2_000_000);

/// The last sweep left no counters of an older day, except on accounts that somebody held just then, or
/// that were written in a transaction which began before midnight and ended after the sweep. For those
/// the days of a week are looked at again: what is idle for longer costs nothing.
const DAYS_BACK: i32 = 7;

fn midnight_reset(args: &Args) -> Answer {
    let limit = job::batch_size(args)?;
    job::run(Job::Midnight, |spi, held| reset(spi, held, limit))
}

fn reset(spi: &Spi, held: &Held, limit: i32) -> Result<Done> {
    let today = held.now.day();
    let first = held.finished_on().map_or(FIRST_DAY, |last| Day(last.0 - DAYS_BACK));
    let members = chunk::read(spi, (first, Day(today.0 - 1)), held.from.as_ref(), limit);
    let next = chunk::next(&members, limit);
    let is_stale = |account: &Account| account.day < today && account.sent_today.iter().any(|&sent| sent > 0);
    let stale = members.iter().filter(|member| is_stale(&member.row.account));
    let rolled: Vec<(String, Account)> = chunk::hold(spi, stale.map(|member| member.id.as_str()))
        .into_iter()
        .filter(|member| is_stale(&member.row.account))
        .map(|member| (member.id, member.row.account.rolled(held.now)))
        .collect();
    let written: Vec<(&str, &Account)> = rolled.iter().map(|(id, account)| (id.as_str(), account)).collect();
    write_many(spi, &written);
    Ok(Done { checked: members.len() as i64, changed: rolled.len() as i64, next, ..Done::default() })
}
