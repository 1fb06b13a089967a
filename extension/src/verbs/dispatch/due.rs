//! Due tickets in their order, with their accounts, which are held.
//!
//! Most calls name no account and no campaign. They walk along an index of the tickets and hold each account by
//! its own, without a statement.

use crate::postgres::error::Result;
use crate::postgres::ids::Id;
use crate::postgres::index_scan::{self, Lookup, key};
use crate::postgres::param::{params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::account_columns;
use crate::verbs::dispatch::Filter;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;

/// What takes in the tickets that are read.
pub(super) trait Page {
    /// Whether the account is held for it already.
    fn holds(&self, account: &str) -> bool;
    /// Takes in an account, which is held.
    fn add_account(&mut self, id: &str, columns: &mut Row);
    /// Takes in a ticket of an account that it has.
    fn add_ticket(&mut self, ticket: Cursor);
}

/// The columns of an account, as [`Page::add_account`] expects them.
macro_rules! account_in_full {
    () => {
        concat!("a.ctid, a.turns, ", account_columns!())
    };
}

/// The columns of a ticket with its account, as [`read_ticket`] and [`Page::add_account`] expect them.
macro_rules! picked_columns {
    () => {
        concat!("SELECT q.due_at, q.ticket_id, q.account_id, q.action, ", account_in_full!())
    };
}

/// Due tickets in their order, after the last one that was read.
macro_rules! after_the_last {
    () => {
        "q.due_at OPERATOR(pg_catalog.<=) $1
         AND (q.due_at, q.account_id, q.action, q.ticket_id) OPERATOR(pg_catalog.>) ($2, $3, $4, $5)"
    };
}

/// Accounts that another session holds are passed over, and no more are held than the page has. No session
/// waits here, so the order in which accounts are held is free.
macro_rules! hold {
    () => {
        " FOR NO KEY UPDATE OF a SKIP LOCKED"
    };
}

/// A ticket, as [`read_ticket`] expects it.
const TICKET: &str = "due_at, ticket_id, account_id, action";

/// One index of the tickets: (due time, account, action, ticket).
macro_rules! in_order {
    ([$($key:expr),*], [$($order:expr),*]) => {
        Lookup::ordered(c"dispatch_queue", &[$($key),*], &[$($order),*], c"due_at", TICKET)
    };
}

/// Where a walk along the tickets begins: at an instant, behind it, or at an account of that instant.
struct Walk {
    from: Lookup,
    after: Lookup,
    same: Lookup,
}

/// Tickets in their order.
static DUE: Walk = Walk {
    from: in_order!(
        [key::instant_from(c"due_at")],
        [key::text(c"account_id"), key::text(c"action"), key::uuid(c"ticket_id")]
    ),
    after: in_order!(
        [key::instant_after(c"due_at")],
        [key::text(c"account_id"), key::text(c"action"), key::uuid(c"ticket_id")]
    ),
    same: in_order!(
        [key::instant(c"due_at"), key::text_from(c"account_id")],
        [key::text(c"action"), key::uuid(c"ticket_id")]
    ),
};

/// The same of one action, along an index of its own: nearly all tickets may be of another action.
static DUE_OF_ACTION: Walk = Walk {
    from: in_order!(
        [key::text(c"action"), key::instant_from(c"due_at")],
        [key::text(c"account_id"), key::uuid(c"ticket_id")]
    ),
    after: in_order!(
        [key::text(c"action"), key::instant_after(c"due_at")],
        [key::text(c"account_id"), key::uuid(c"ticket_id")]
    ),
    same: in_order!(
        [key::text(c"action"), key::instant(c"due_at"), key::text_from(c"account_id")],
        [key::uuid(c"ticket_id")]
    ),
};

static ACCOUNT: Lookup = Lookup::new(c"accounts", &[key::text(c"id")], account_in_full!());

const PICK_TYPES: &[pg_sys::Oid] = types![instant, instant, text, text, uuid, int8, text, text];

/// Reads the account's few tickets and then sorts them. A walk over all due tickets in order, until one of this
/// account comes, is cheap only while there are few, as at the time when the plan is made.
static PICK_OF_ACCOUNT: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM (
              SELECT t.due_at, t.ticket_id, t.account_id, t.action FROM sendgate.dispatch_queue t
              WHERE t.account_id OPERATOR(pg_catalog.=) $8 OFFSET 0
          ) q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE a.id OPERATOR(pg_catalog.=) $8
            AND (q.action OPERATOR(pg_catalog.=) $7 OR $7 IS NULL) AND ",
        after_the_last!(),
        " ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES,
);

const PICK_TYPES_OF_CAMPAIGN: &[pg_sys::Oid] =
    types![instant, instant, text, text, uuid, int8, text, text, text];

/// Tickets of accounts that have due work of the campaign. Only their accounts are held: other work waits
/// behind most tickets. OFFSET keeps it a look-up for each ticket, and not a reading of the whole campaign.
macro_rules! has_work_of_campaign {
    () => {
        " AND EXISTS (
              SELECT FROM sendgate.enrollments w
              WHERE w.account_id OPERATOR(pg_catalog.=) q.account_id AND w.action OPERATOR(pg_catalog.=) q.action
                AND w.campaign_id OPERATOR(pg_catalog.=) $9 AND w.next_dispatch_at OPERATOR(pg_catalog.<=) $1
              OFFSET 0)"
    };
}

static PICK_OF_CAMPAIGN: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM sendgate.dispatch_queue q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE ",
        after_the_last!(),
        " AND (q.action OPERATOR(pg_catalog.=) $7 OR $7 IS NULL) AND $8 IS NULL",
        has_work_of_campaign!(),
        " ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES_OF_CAMPAIGN,
);

static PICK_OF_ACCOUNT_AND_CAMPAIGN: Statement = Statement::new(
    concat!(
        picked_columns!(),
        " FROM (
              SELECT t.due_at, t.ticket_id, t.account_id, t.action FROM sendgate.dispatch_queue t
              WHERE t.account_id OPERATOR(pg_catalog.=) $8 OFFSET 0
          ) q
          JOIN sendgate.accounts a ON a.id OPERATOR(pg_catalog.=) q.account_id
          WHERE a.id OPERATOR(pg_catalog.=) $8
            AND (q.action OPERATOR(pg_catalog.=) $7 OR $7 IS NULL) AND ",
        after_the_last!(),
        has_work_of_campaign!(),
        " ORDER BY q.due_at, q.account_id, q.action, q.ticket_id LIMIT $6",
        hold!()
    ),
    PICK_TYPES_OF_CAMPAIGN,
);

/// Where reading the tickets goes on.
#[derive(Clone)]
pub(super) struct Cursor {
    due_at: Instant,
    /// The ticket's account.
    pub account: String,
    /// The ticket's action.
    pub action: String,
    /// The ticket.
    pub ticket: Id,
}

impl Cursor {
    /// Before the first ticket.
    pub fn start() -> Cursor {
        // The beginning of time as timestamptz has it.
        Cursor { due_at: Instant(i64::MIN), account: String::new(), action: String::new(), ticket: [0; 16] }
    }

    fn is_start(&self) -> bool {
        self.due_at == Instant(i64::MIN) && self.account.is_empty()
    }

    /// Whether it lies behind another one.
    fn is_after(&self, other: &Cursor) -> bool {
        (self.due_at, &self.account, &self.action, self.ticket)
            > (other.due_at, &other.account, &other.action, other.ticket)
    }
}

/// Reads tickets that were due at `until`, from the cursor on, into a page; how many.
///
/// # Errors
/// `SG301` when another session has a table locked for too long.
pub(super) fn read(
    spi: &Spi,
    filter: &Filter<'_>,
    at: (&Cursor, Instant),
    limit: usize,
    into: &mut impl Page,
) -> Result<usize> {
    let statement = match filter {
        Filter { account: Some(_), campaign: Some(_), .. } => &PICK_OF_ACCOUNT_AND_CAMPAIGN,
        Filter { campaign: Some(_), .. } => &PICK_OF_CAMPAIGN,
        Filter { account: Some(_), .. } => &PICK_OF_ACCOUNT,
        _ => return walk(filter.action, at, limit, into),
    };
    let (from, until) = at;
    let values = params![
        until,
        from.due_at,
        &from.account,
        &from.action,
        from.ticket,
        limit as i64,
        filter.action.map(Action::name),
        filter.account,
        filter.campaign
    ];
    let values = if filter.campaign.is_some() { values } else { &values[..values.len() - 1] };
    let rows = spi.run(statement, values);
    for mut columns in rows.iter() {
        let cursor = read_ticket(&mut columns);
        if !into.holds(&cursor.account) {
            into.add_account(&cursor.account, &mut columns);
        }
        into.add_ticket(cursor);
    }
    Ok(rows.count())
}

/// Along the index. Accounts that another session holds are passed over, and no more are held than the page has.
fn walk(
    action: Option<Action>,
    (from, until): (&Cursor, Instant),
    limit: usize,
    into: &mut impl Page,
) -> Result<usize> {
    let mut count = 0;
    let mut each = |row: &mut Row| {
        let cursor = read_ticket(row);
        if cursor.due_at > until {
            return false;
        }
        if !cursor.is_after(from) {
            return true;
        }
        if !into.holds(&cursor.account) {
            let id = cursor.account.as_str();
            if ACCOUNT.hold_free(params![id], |columns| into.add_account(id, columns)).is_none() {
                return true;
            }
        }
        into.add_ticket(cursor);
        count += 1;
        count < limit
    };
    let tickets = if action.is_some() { &DUE_OF_ACTION } else { &DUE };
    let key = params![action.map(Action::name), from.due_at, &from.account];
    let key = if action.is_some() { key } else { &key[1..] };
    let (of_time, of_account) = (&key[..key.len() - 1], key);
    index_scan::holding(&[&tickets.from], &ACCOUNT, || {
        if from.is_start() {
            tickets.from.each(of_time, &mut each);
            return Ok(());
        }
        // Many tickets may be due at the same instant, and those before the cursor are not read again.
        let mut is_over = false;
        tickets.same.each(of_account, |row| {
            is_over = !each(row);
            !is_over
        });
        if !is_over {
            tickets.after.each(of_time, &mut each);
        }
        Ok(())
    })?;
    Ok(count)
}

fn read_ticket(columns: &mut Row) -> Cursor {
    let due_at = columns.instant();
    let ticket = columns.nullable_uuid().unwrap_or_default();
    Cursor { due_at, ticket, account: columns.value(), action: columns.value() }
}
