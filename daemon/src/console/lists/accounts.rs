//! The list of accounts for programs: by id, of all databases as one.

use serde_json::Value;

use super::{Found, ListQuery, value, with_database};
use crate::console::scope::{Answers, Name};
use crate::db::Session;
use crate::db::console::accounts::Flag;
use crate::error::Result;

/// Accounts that one answer looks at, in each database.
const LOOKED_AT_MAX: i64 = 5_000;

/// Accounts of one database: ids with their rows, and the id behind which nothing is known of it.
pub(super) struct Accounts {
    rows: Vec<(String, Value)>,
    end: Option<String>,
}

pub(super) async fn accounts(
    session: &Session,
    query: &ListQuery,
    flag: Flag,
    rows_max: i64,
    with_it: bool,
) -> Result<Accounts> {
    let today = session.now().await?.day();
    let from = match query.after.as_str() {
        "" => String::new(),
        after if with_it => after.to_owned(),
        after => format!("{after}\u{1}"),
    };
    let what = (query.tier.as_str(), query.q.as_str());
    let mut walked = match flag {
        Flag::Drifting => session.walk_drifting(today, what, &from, rows_max + 1).await?,
        _ => session.walk_accounts(flag, what, &from, LOOKED_AT_MAX.max(rows_max + 1), rows_max + 1).await?,
    };
    let has_more = walked.ids.len() as i64 > rows_max;
    walked.ids.truncate(rows_max as usize);
    let end = if has_more { walked.ids.last().cloned() } else { walked.last.filter(|_| !walked.whole) };
    let cards = session.account_list(&walked.ids, today).await?;
    let rows = cards.iter().map(|card| (card.id.raw().to_owned(), value(card))).collect();
    Ok(Accounts { rows, end })
}

/// The accounts of all databases by id, as far as each of them was looked at.
pub(super) fn put_together(answers: Answers<Accounts>, rows_max: usize) -> Found {
    let names: Vec<Name> = answers.0.iter().map(|(name, _)| name.clone()).collect();
    let ends = answers.0.iter().enumerate();
    let horizon = ends.filter_map(|(n, (_, accounts))| Some((accounts.end.clone()?, n))).min();
    let of_each = answers.0.into_iter().enumerate();
    let mut rows: Vec<((String, usize), Value)> = of_each
        .flat_map(|(n, (_, accounts))| accounts.rows.into_iter().map(move |(id, row)| ((id, n), row)))
        .filter(|(place, _)| horizon.as_ref().is_none_or(|end| place <= end))
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let is_full = rows.len() > rows_max;
    rows.truncate(rows_max);
    let next = if is_full { rows.last().map(|(place, _)| place.clone()) } else { horizon };
    let next = next.map(|(id, n)| {
        let mut values = vec![("after", id)];
        values.extend(names[n].iter().map(|name| ("last", name.to_string())));
        values
    });
    let rows = rows.into_iter().map(|((_, n), row)| with_database(row, &names[n])).collect();
    Found { rows, next }
}
