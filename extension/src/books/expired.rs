//! Operations whose time to answer is over: layer 1 lists them, parks their work and tells people. The first
//! listing is the end of an attempt, so it counts as a failure in a row.

use crate::postgres::param::{Element, Param, array, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::alerts;
use sendgate_decision::account::Account;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::failures::Limits;
use sendgate_decision::names::{Action, OperationId, OperationState};
use sendgate_decision::settle::{CooldownChange, Operation, expire};
use std::collections::{HashMap, HashSet};

/// The alert about an account with expired operations.
const ALERT: &str = "operations_expired";

static PARK: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'parked', reason = 'expired', changed_at = $3
     FROM sendgate.send_operations o
     WHERE o.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND o.counted_on OPERATOR(pg_catalog.>=) $2
       AND o.state OPERATOR(pg_catalog.=) 'reserved' AND o.expires_at OPERATOR(pg_catalog.<=) $3
       AND o.attempt IS NOT NULL
       AND e.account_id OPERATOR(pg_catalog.=) o.account_id
       AND e.prospect_id OPERATOR(pg_catalog.=) o.prospect_id
       AND e.campaign_id OPERATOR(pg_catalog.=) o.campaign_id
       AND e.action OPERATOR(pg_catalog.=) o.action
       AND e.step OPERATOR(pg_catalog.=) COALESCE(o.step, 1)
       AND e.operation_id OPERATOR(pg_catalog.=) o.operation_id
       AND e.state OPERATOR(pg_catalog.=) 'sending'",
    types![texts, date, instant],
);

/// An expired operation becomes one of the unknown outcomes that operators list. It stays one until it is settled,
/// also when the sweep no longer looks back so far.
static LIST: Statement = Statement::new(
    "UPDATE sendgate.send_operations o
     SET unknown_since = $3
     WHERE o.account_id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
       AND o.counted_on OPERATOR(pg_catalog.>=) $2
       AND o.state OPERATOR(pg_catalog.=) 'reserved' AND o.expires_at OPERATOR(pg_catalog.<=) $3
       AND o.unknown_since IS NULL
     RETURNING o.account_id, o.operation_id, o.action, o.counted_on, o.reserved_at, o.expires_at,
         o.origin OPERATOR(pg_catalog.=) 'gate'",
    types![texts, date, instant],
);

/// What the first listing of its operations makes of an account.
pub(super) struct Failed {
    /// The account afterwards, rolled to now.
    pub account: Account,
    /// Each change of a cooldown, with the operation that made it.
    pub cooldowns: Vec<(OperationId, CooldownChange)>,
}

/// Parks the work of operations that expired on these accounts since `first`, and returns those that were not
/// listed before: by account, in the order in which their slots were taken.
pub(super) fn list(spi: &Spi, accounts: &[Held<'_>], first: Day, now: Instant) -> Vec<Vec<Operation>> {
    let mut listed: Vec<Vec<Operation>> = accounts.iter().map(|_| Vec::new()).collect();
    if accounts.is_empty() {
        return listed;
    }
    let places: HashMap<&str, usize> = accounts.iter().enumerate().map(|(i, held)| (held.id(), i)).collect();
    let values = values(accounts, first, now);
    spi.run(&PARK, &values);
    for mut row in spi.run(&LIST, &values).iter() {
        let place = places[row.value::<&str>()];
        listed[place].push(read(&mut row));
    }
    for operations in &mut listed {
        operations.sort_by_key(|op| (op.reserved_at, op.id));
    }
    listed
}

/// An operation that was listed just now, as it was before.
fn read(row: &mut Row) -> Operation {
    Operation {
        id: row.nullable_uuid().expect("the key of an operation is not null"),
        action: row.one_of(Action::parse),
        state: OperationState::Reserved,
        counted_on: row.day(),
        reserved_at: row.instant(),
        expires_at: row.instant(),
        outcome: None,
        is_attempt: row.value(),
        listed: false,
        settled_at: None,
        beyond_credits: false,
    }
}

/// Counts each of these operations as a failure; none where that changes nothing.
pub(super) fn count(
    account: &Account,
    listed: &[Operation],
    limits: &Limits,
    now: Instant,
) -> Option<Failed> {
    let mut failed = Failed { account: account.rolled(now), cooldowns: Vec::new() };
    for op in listed {
        let settled = expire(&failed.account, op, limits, now);
        failed.account = settled.account;
        failed.cooldowns.extend(settled.cooldowns.into_iter().map(|change| (op.id, change)));
    }
    (failed.account.failures != account.failures).then_some(failed)
}

/// Tells people how many operations of each account have expired.
pub(super) fn tell(spi: &Spi, expired: &[(Held<'_>, i32)], now: Instant) {
    for (held, count) in expired {
        let detail = match count {
            1 => "1 operation was not answered in time; it holds its slot until an operator settles it"
                .to_owned(),
            more => format!(
                "{more} operations were not answered in time; they hold their slots until an operator settles them"
            ),
        };
        alerts::open(spi, *held, ALERT, now.day(), &detail, now);
    }
}

/// Resolves the alerts about accounts that a sweep has met and that have no expired operation any more.
pub(super) fn resolve(spi: &Spi, met: &[&str], still: &HashSet<&str>, now: Instant) {
    alerts::resolve_swept(spi, met, ALERT, now.day(), still, now);
}

/// Resolves those of earlier days, at the end of a sweep.
pub(super) fn resolve_old(spi: &Spi, now: Instant) {
    alerts::resolve_old(spi, &[ALERT], now.day(), now);
}

fn values(accounts: &[Held<'_>], first: Day, now: Instant) -> [Param; 3] {
    let ids = array(Element::Text, accounts.iter().map(|held| held.id()));
    [ids, params![first][0], params![now][0]]
}
