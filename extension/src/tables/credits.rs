//! What the journal says of an account's known InMail credits: who is unanswered, who took one.
//!
//! Nothing here is asked about an account without a told balance. About others it is asked only where a period
//! began, where the credits are used up, where a balance is told, and in layer 1.

use crate::postgres::gucs::OPERATION_TTL_MAX;
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::AccountRow;
use crate::tables::config;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::credits::Credits;
use sendgate_decision::credits::journal::{Fate, Sending, unanswered};
use sendgate_decision::names::{OperationId, OperationState, Outcome};

/// The InMails of an account whose `expires_at` is after an instant, reserved at another or before it. The day,
/// which is never before that of the reservation, is what the index by day knows. The action is compared as an
/// expression, here and below, and so no index can look it up: the index by prospect, which has the action too,
/// would have to be read from the account's first operation to its last.
static SENDINGS: Statement = Statement::new(
    "SELECT o.reserved_at, o.expires_at, o.settled_at, o.state, o.outcome
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND (o.action OPERATOR(pg_catalog.||) '') OPERATOR(pg_catalog.=) 'inmail'
       AND o.counted_on OPERATOR(pg_catalog.>=) $2
       AND o.expires_at OPERATOR(pg_catalog.>) $3 AND o.reserved_at OPERATOR(pg_catalog.<=) $4",
    types![text, date, instant, instant],
);

/// The same of several accounts. `first` is passed for each: see `journal::many`.
static SENDINGS_MANY: Statement = Statement::new(
    "SELECT u.n::pg_catalog.int4, o.reserved_at, o.expires_at, o.settled_at, o.state, o.outcome
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.date[], $3::pg_catalog.timestamptz[])
          WITH ORDINALITY AS u (account_id, first, since, n)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) u.account_id AND (o.action OPERATOR(pg_catalog.||) '') OPERATOR(pg_catalog.=) 'inmail'
            AND o.counted_on OPERATOR(pg_catalog.>=) u.first
            AND o.expires_at OPERATOR(pg_catalog.>) u.since",
    types![texts, dates, instants],
);

/// How many InMails are unanswered and inside their TTL but this operation, and when the first expires.
static UNANSWERED: Statement = Statement::new(
    "SELECT pg_catalog.count(*)::pg_catalog.int4, pg_catalog.min(o.expires_at)
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) $1 AND (o.action OPERATOR(pg_catalog.||) '') OPERATOR(pg_catalog.=) 'inmail'
       AND o.counted_on OPERATOR(pg_catalog.>=) $2
       AND o.expires_at OPERATOR(pg_catalog.>) $3 AND o.reserved_at OPERATOR(pg_catalog.<=) $3
       AND o.state OPERATOR(pg_catalog.=) ANY (ARRAY['reserved', 'indeterminate'])
       AND ($4 IS NULL OR o.operation_id OPERATOR(pg_catalog.<>) $4)",
    types![text, date, instant, uuid],
);

/// The first day on which an operation may count that expires after `at`.
fn first_day(at: Instant) -> Day {
    at.plus(-OPERATION_TTL_MAX).day()
}

/// The InMails of an account whose `expires_at` is after `since`, as the journal is now.
pub fn journal(spi: &Spi, account: &str, since: Instant) -> Vec<Sending> {
    sendings(spi, account, since, Instant::MAX)
}

/// The same for several accounts, each with its own instant.
pub fn journals(spi: &Spi, accounts: &[(&str, Instant)]) -> Vec<Vec<Sending>> {
    let mut found: Vec<Vec<Sending>> = accounts.iter().map(|_| Vec::new()).collect();
    if accounts.is_empty() {
        return found;
    }
    let values = [
        array(Element::Text, accounts.iter().map(|(id, _)| *id)),
        array(Element::Date, accounts.iter().map(|(_, since)| first_day(*since))),
        array(Element::Timestamp, accounts.iter().map(|(_, since)| *since)),
    ];
    for mut row in spi.run_on_latest_snapshot(&SENDINGS_MANY, &values).iter() {
        let of = row.value::<i32>() as usize - 1;
        found[of].push(read_sending(&mut row));
    }
    found
}

fn sendings(spi: &Spi, account: &str, since: Instant, until: Instant) -> Vec<Sending> {
    let values = params![account, first_day(since), since, until];
    spi.run_on_latest_snapshot(&SENDINGS, values).iter().map(|mut row| read_sending(&mut row)).collect()
}

/// Reads `reserved_at`, `expires_at`, `settled_at`, `state`, `outcome`. What has become unknown is not settled.
fn read_sending(row: &mut Row) -> Sending {
    let (reserved_at, expires_at, settled_at) = (row.instant(), row.instant(), row.nullable_instant());
    let state = row.one_of(OperationState::parse);
    let refused = row.nullable::<&str>().and_then(Outcome::parse) == Some(Outcome::CreditsExhausted);
    let fate = match state {
        OperationState::Reserved | OperationState::Indeterminate => Fate::Unanswered,
        OperationState::Delivered => Fate::Delivered,
        OperationState::Released if refused => Fate::Refused,
        OperationState::Released => Fate::GivenBack,
    };
    let settled_at = settled_at.filter(|_| fate != Fate::Unanswered);
    Sending { reserved_at, expires_at, settled_at, fate }
}

/// Carries known credits over the period starts that the row has not lived through yet; whether there were any.
/// The row is held, or the answer is for a reader.
pub fn roll(spi: &Spi, account: &str, row: &mut AccountRow, now: Instant) -> bool {
    let mut rolled = false;
    while let Some(start) = row.account.credits_due(now) {
        let allowance = config::current(spi).allowance(&row.tier);
        let spent_at = row.account.credits.and_then(|credits| credits.spent_at);
        let open = unanswered(&sendings(spi, account, start, start), start, spent_at);
        row.account.begin_credit_period(start, open, allowance);
        rolled = true;
    }
    rolled
}

/// When the first unanswered InMail inside its TTL expires, where credits that no stamp guards are used up;
/// nothing is read of any other account.
pub fn first_expiry(spi: &Spi, account: &str, row: &AccountRow, now: Instant) -> Option<Instant> {
    let used_up = |credits: &Credits| credits.left <= 0;
    let asked =
        row.account.breaker.exhausted_at.is_none() && row.account.credits.as_ref().is_some_and(used_up);
    if !asked {
        return None;
    }
    count_unanswered(spi, account, None, now).1
}

/// How many InMails of an account are unanswered and inside their TTL beside this operation; 0 where no balance
/// is counted.
pub fn others_unanswered(
    spi: &Spi,
    account: &str,
    credits: Option<Credits>,
    operation: Option<OperationId>,
    now: Instant,
) -> i32 {
    credits.map_or(0, |_| count_unanswered(spi, account, operation, now).0)
}

fn count_unanswered(
    spi: &Spi,
    account: &str,
    but: Option<OperationId>,
    now: Instant,
) -> (i32, Option<Instant>) {
    let values = params![account, first_day(now), now, but];
    let mut row = spi.run_on_latest_snapshot(&UNANSWERED, values).first().expect("an aggregate has a row");
    (row.value(), row.nullable_instant())
}
