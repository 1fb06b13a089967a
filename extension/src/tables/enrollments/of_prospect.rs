//! The work for one prospect, whatever its account and campaign.

use crate::postgres::param::{Element, IntoParam, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::held::Held;
use crate::tables::dispatch_queue;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, EnrollmentState};
use std::collections::BTreeSet;

/// Goes from campaign to campaign by their index, because no index begins with the prospect: it would cost
/// every hand-out an entry.
static ACCOUNTS: Statement = Statement::new(
    "WITH RECURSIVE campaign (id) AS (
         SELECT (SELECT f.campaign_id::pg_catalog.text FROM sendgate.enrollments f
                 ORDER BY f.campaign_id LIMIT 1)
         UNION ALL
         SELECT (SELECT f.campaign_id::pg_catalog.text FROM sendgate.enrollments f
                 WHERE f.campaign_id OPERATOR(pg_catalog.>) c.id COLLATE \"C\"
                 ORDER BY f.campaign_id LIMIT 1)
         FROM campaign c WHERE c.id IS NOT NULL
     )
     SELECT DISTINCT e.account_id
     FROM campaign c
     JOIN sendgate.enrollments e
         ON e.campaign_id OPERATOR(pg_catalog.=) c.id AND e.prospect_id OPERATOR(pg_catalog.=) $1
            AND e.state OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.text[])
     ORDER BY 1",
    types![text, texts],
);

static RELEASE: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET next_dispatch_at = $3, reason = NULL, changed_at = $3
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.state OPERATOR(pg_catalog.=) 'waiting'
       AND e.reason OPERATOR(pg_catalog.=) 'prospect_suppressed'
     RETURNING e.action",
    types![text, text, instant],
);

/// The accounts with work for the prospect in one of these states, in ascending order.
pub fn accounts(spi: &Spi, prospect: &str, states: &[EnrollmentState]) -> Vec<String> {
    let states = array(Element::Text, states.iter().map(|state| state.name()));
    let rows = spi.run_on_latest_snapshot(&ACCOUNTS, &[prospect.param(), states]);
    rows.iter().map(|mut row| row.value()).collect()
}

/// The prospect's suppression is over: the account's work that waits for its end is due now.
pub fn release(spi: &Spi, account: Held<'_>, prospect: &str, now: Instant) {
    let rows = spi.write_on_latest_snapshot(&RELEASE, params![account.id(), prospect, now]);
    let actions: BTreeSet<Action> = rows.iter().map(|mut row| row.one_of(Action::parse)).collect();
    for action in actions {
        dispatch_queue::ticket(spi, account.id(), action, now);
    }
}
