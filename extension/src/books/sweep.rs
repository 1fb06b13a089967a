//! Accounts in the order of a sweep, read without holding them, and what the journal counts for them.

use crate::books::run::Cursor;
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::{AccountRow, account_columns, read_columns};
use crate::tables::journal;
use sendgate_decision::books::{Counted, Parts};
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{ACTIONS, Action};

/// By day and account. An active account moves to its new day once a day, and is then read again.
static READ: Statement = Statement::new(
    concat!(
        "SELECT ",
        account_columns!(),
        ", a.id FROM sendgate.accounts a
          WHERE a.day OPERATOR(pg_catalog.>=) $1 AND a.day OPERATOR(pg_catalog.<=) $2
            AND (a.day, a.id) OPERATOR(pg_catalog.>) ($3, $4)
          ORDER BY a.day, a.id LIMIT $5"
    ),
    types![date, date, date, text, int8],
);

/// One statement counts all that layer 1 needs: the operations of the row's day and of each of the six before
/// it, the day's attempts, and expired operations of two weeks. `first` is passed per account: as one constant
/// it becomes an index condition, and a plan that was made on an empty journal then reads the operations of all
/// accounts for each account.
static COUNT: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, o.action, (u.day OPERATOR(pg_catalog.-) o.counted_on),
            pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.=) 'delivered')::pg_catalog.int4,
            pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.=) 'reserved')::pg_catalog.int4,
            pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.=) 'indeterminate')::pg_catalog.int4,
            pg_catalog.count(*) FILTER (WHERE o.origin OPERATOR(pg_catalog.=) 'gate'
                AND o.outcome IS DISTINCT FROM 'released')::pg_catalog.int4,
            pg_catalog.count(*) FILTER (WHERE o.state OPERATOR(pg_catalog.=) 'reserved'
                AND o.expires_at OPERATOR(pg_catalog.<=) $4)::pg_catalog.int4
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.date[], $3::pg_catalog.date[])
          WITH ORDINALITY AS u (account_id, day, first, n)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) u.account_id
            AND o.counted_on OPERATOR(pg_catalog.>=) u.first
     GROUP BY u.n, o.action, u.day, o.counted_on",
    types![texts, dates, dates, instant],
);

/// An account of a batch, as it was read without holding it.
pub(super) struct Member {
    /// Its id.
    pub id: String,
    /// Its row.
    pub row: AccountRow,
}

impl Member {
    /// The same by reference.
    pub fn seen(&self) -> Seen<'_> {
        (&self.id, &self.row)
    }
}

/// An account and its row, held or not.
pub(super) type Seen<'a> = (&'a str, &'a AccountRow);

fn member(mut columns: Row) -> Member {
    let row = read_columns(&mut columns);
    Member { id: columns.value(), row }
}

/// The next accounts of a sweep whose day is between these, after `from`.
pub(super) fn read(spi: &Spi, days: (Day, Day), from: Option<&Cursor>, limit: i32) -> Vec<Member> {
    // Before every id: the empty text.
    let start = Cursor { day: days.0, account: String::new() };
    let from = from.filter(|cursor| cursor.day >= days.0).unwrap_or(&start);
    let values = params![days.0, days.1, from.day, &from.account, i64::from(limit)];
    spi.run(&READ, values).iter().map(member).collect()
}

/// Where a sweep goes on after these; none when there were fewer than asked for.
pub(super) fn next(members: &[Member], limit: i32) -> Option<Cursor> {
    let last = members.last().filter(|_| members.len() >= limit as usize)?;
    Some(Cursor { day: last.row.account.day, account: last.id.clone() })
}

/// What the journal says of an account.
#[derive(Default)]
pub(super) struct Tally {
    /// The operations that count, by action.
    pub counted: [Counted; ACTIONS],
    /// Expired operations.
    pub expired: i32,
}

/// What the journal says of each of these, on the day that its row is on at `now` and the six before it, and
/// what expired since `first`, which is no later than those days.
pub(super) fn count(spi: &Spi, members: &[Seen<'_>], first: Day, now: Instant) -> Vec<Tally> {
    let mut tallies: Vec<Tally> = members.iter().map(|_| Tally::default()).collect();
    if members.is_empty() {
        return tallies;
    }
    let values = [
        array(Element::Text, members.iter().map(|(id, _)| *id)),
        array(Element::Date, members.iter().map(|(_, row)| row.account.rolled(now).day)),
        array(Element::Date, members.iter().map(|_| first)),
        params![now][0],
    ];
    let rows = spi.run(&COUNT, &values);
    // Row security that hides operations would make every counter 0, and its slots free.
    journal::must_be_plain();
    for mut row in rows.iter() {
        let tally = &mut tallies[row.value::<i32>() as usize - 1];
        let counted = &mut tally.counted[row.one_of(Action::parse).index()];
        let ago = usize::try_from(row.value::<i32>()).ok();
        let parts = Parts { delivered: row.value(), reserved: row.value(), indeterminate: row.value() };
        let attempts = row.value();
        if let Some(day) = ago.and_then(|ago| counted.days.get_mut(ago)) {
            *day = parts;
        }
        if ago == Some(0) {
            counted.attempts = attempts;
        }
        tally.expired += row.value::<i32>();
    }
    tallies
}
