//! Whether so many accounts fail together that it is the provider: the alert `provider_failing`.

use crate::postgres::gucs;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::alerts::{self, About};
use crate::tables::journal;
use sendgate_decision::clock::{DAY, Day, HOUR, Instant};
use sendgate_decision::failures::{FAILING_MAX, is_outage};

/// Whether an account `a` fails: a silence of it ended after `$2`, or lasts.
macro_rules! failing {
    () => {
        "a.failures IS NOT NULL AND EXISTS (
             SELECT FROM pg_catalog.jsonb_each(a.failures) e
             WHERE ((e.value OPERATOR(pg_catalog.->>) 'failing_until')::pg_catalog.timestamptz)
                   OPERATOR(pg_catalog.>) $2)"
    };
}

/// Accounts that fail. They are found by the index on the day, because their rows were written since day `$1`: an index on
/// failures would make every failure write all indexes of the row.
static COUNT_FAILING: Statement = Statement::new(
    concat!(
        "SELECT pg_catalog.count(*) FROM sendgate.accounts a
         WHERE a.day OPERATOR(pg_catalog.>=) $1 AND ",
        failing!()
    ),
    types![date, instant],
);

/// Other accounts that had a grant from `$2` to `$3`, counted up to `$4`. The row's times are of sends outside the gate too,
/// so the journal has the last word. `LEAST` keeps the day a condition of each account: as one constant it becomes an
/// index condition, and a plan that was made on an empty journal then reads the operations of all accounts for each.
static COUNT_OTHERS: Statement = Statement::new(
    concat!(
        "SELECT pg_catalog.count(*) FROM (
             SELECT FROM sendgate.accounts a
             WHERE a.day OPERATOR(pg_catalog.>=) $1 AND NOT (",
        failing!(),
        ")
               AND GREATEST(a.inmail_last_at, a.invite_last_at, a.message_last_at, a.profile_view_last_at,
                            a.engagement_last_at) OPERATOR(pg_catalog.>=) $2
               AND (SELECT pg_catalog.count(*) FILTER (
                        WHERE o.origin OPERATOR(pg_catalog.=) 'gate' AND o.reserved_at BETWEEN $2 AND $3)
                    FROM sendgate.send_operations o
                    WHERE o.account_id OPERATOR(pg_catalog.=) a.id
                      AND o.counted_on OPERATOR(pg_catalog.>=) LEAST(a.day, $1)) OPERATOR(pg_catalog.>) 0
             LIMIT $4) w"
    ),
    types![date, instant, instant, int8],
);

/// Raises the alert or resolves it, at the end of a sweep; whether it is new. One is open a day, and the audit
/// has resolved those of earlier days.
pub(super) fn look(spi: &Spi, now: Instant) -> bool {
    let needed = gucs::outage_accounts();
    // With failures switched off, no row that fails refuses anything.
    let failing = if gucs::limits().failure_limit > 0 { count_failing(spi, now) } else { 0 };
    // Only where enough accounts fail does it matter how many are at work.
    let active =
        if is_outage(failing, failing, needed) { failing + count_others(spi, failing, now) } else { 0 };
    if !is_outage(failing, active, needed) {
        alerts::resolve(spi, About::Jobs, alerts::PROVIDER_FAILING, now);
        return false;
    }
    let detail = format!(
        "{failing} of the {active} accounts that were at work in the last hour are failing: probably the provider is; clear_cooldown('*', note) ends their cooldowns once it is back"
    );
    alerts::open(spi, About::Jobs, alerts::PROVIDER_FAILING, now.day(), &detail, now)
}

/// How many accounts fail, with a silence that ended less than an hour ago or lasts.
fn count_failing(spi: &Spi, now: Instant) -> i64 {
    // A silence was written when it began, at most a day before it ends, or by the grant of the one attempt, which may
    // stay unanswered for longer; and the clock may have been of the day before that.
    let longest = FAILING_MAX.max(gucs::operation_ttl());
    let first = now.plus(-(longest + DAY)).day();
    count(spi, &COUNT_FAILING, params![first, now.plus(-HOUR)])
}

/// How many accounts that do not fail had a grant in the last hour: all that matter beside so many that do.
fn count_others(spi: &Spi, failing: i64, now: Instant) -> i64 {
    let since = now.plus(-HOUR);
    let enough = failing.saturating_mul(2).saturating_add(1);
    let first: Day = since.day();
    journal::must_be_plain();
    count(spi, &COUNT_OTHERS, params![first, since, now, enough])
}

fn count(spi: &Spi, statement: &Statement, values: &[crate::postgres::param::Param]) -> i64 {
    spi.run(statement, values).first().expect("an aggregate has one row").value()
}
