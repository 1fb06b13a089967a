//! Whether so many accounts fail together that it is the provider: the alert `provider_failing`.

use crate::postgres::gucs;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::alerts::{self, About};
use sendgate_decision::clock::{DAY, HOUR, Instant};
use sendgate_decision::failures::is_outage;

/// Accounts that fail, and these together with those that had a grant from $2 to $3. A failing account was written
/// at most a day before its silence ends, and a grant writes its account. So the accounts that were idle since
/// day $1 are left out by the index on the day: an index on failures would make every failure write all indexes
/// of the row. Cooldowns are looked at only where the row has any.
static COUNT: Statement = Statement::new(
    "SELECT pg_catalog.count(*) FILTER (WHERE f.failing), pg_catalog.count(*)
     FROM sendgate.accounts a
     CROSS JOIN LATERAL (
         SELECT a.failures IS NOT NULL AND EXISTS (
             SELECT FROM pg_catalog.jsonb_each(a.failures) e
             WHERE ((e.value OPERATOR(pg_catalog.->>) 'failing_until')::pg_catalog.timestamptz)
                   OPERATOR(pg_catalog.>) $2)
     ) f (failing)
     WHERE a.day OPERATOR(pg_catalog.>=) $1
       AND (f.failing OR GREATEST(a.inmail_last_at, a.invite_last_at, a.message_last_at,
                                  a.profile_view_last_at, a.engagement_last_at) BETWEEN $2 AND $3)",
    types![date, instant, instant],
);

/// Raises the alert or resolves it, at the end of a sweep; whether it is new. One is open a day, and the audit
/// has resolved those of earlier days.
pub(super) fn look(spi: &Spi, now: Instant) -> bool {
    let (failing, active) = count(spi, now);
    // With failures switched off, no row that fails refuses anything.
    let counts = gucs::limits().failure_limit > 0;
    if !counts || !is_outage(failing, active, gucs::outage_accounts()) {
        alerts::resolve(spi, About::Jobs, alerts::PROVIDER_FAILING, now);
        return false;
    }
    let detail = format!(
        "{failing} of the {active} accounts that were at work in the last hour are failing: probably the provider is; clear_cooldown('*', note) ends their cooldowns once it is back"
    );
    alerts::open(spi, About::Jobs, alerts::PROVIDER_FAILING, now.day(), &detail, now)
}

/// How many accounts fail, with a silence that ended less than an hour ago or lasts; and how many these are
/// together with those that had a grant in the last hour.
fn count(spi: &Spi, now: Instant) -> (i64, i64) {
    let since = now.plus(-HOUR);
    // The row may have been written a day and an hour ago, or at a clock of the day before that.
    let first = now.plus(-(2 * DAY)).day();
    let mut row = spi.run(&COUNT, params![first, since, now]).first().expect("an aggregate has one row");
    (row.value(), row.value())
}
