//! `cancel` and `cancel_prospect`: take a prospect out of a campaign, or of all. What is at the provider already cannot be called
//! back: its operation goes on, but nothing is attempted again.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;

sql_function!(sendgate_cancel, pg_finfo_sendgate_cancel, cancel);
sql_function!(sendgate_cancel_prospect, pg_finfo_sendgate_cancel_prospect, cancel_prospect);

static ACCOUNTS: Statement = Statement::new(
    "SELECT DISTINCT e.account_id FROM sendgate.enrollments e
     WHERE e.campaign_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.state OPERATOR(pg_catalog.=) ANY (ARRAY['waiting', 'sending', 'parked'])
     ORDER BY 1",
    types![text, text],
);

static CANCEL: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'cancelled', next_dispatch_at = NULL, reason = NULL, changed_at = $4
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.campaign_id OPERATOR(pg_catalog.=) $3
       AND e.state OPERATOR(pg_catalog.=) ANY (ARRAY['waiting', 'sending', 'parked'])",
    types![text, text, text, instant],
);

/// From campaign to campaign by the index of campaigns: one of prospects alone would cost every hand-out an
/// entry, and this is asked only when a prospect opts out.
static ACCOUNTS_OF_PROSPECT: Statement = Statement::new(
    "WITH RECURSIVE c (campaign_id) AS (
         (SELECT e.campaign_id FROM sendgate.enrollments e ORDER BY e.campaign_id LIMIT 1)
         UNION ALL
         SELECT n.campaign_id FROM c
         CROSS JOIN LATERAL (
             SELECT e.campaign_id FROM sendgate.enrollments e
             WHERE e.campaign_id OPERATOR(pg_catalog.>) c.campaign_id
             ORDER BY e.campaign_id LIMIT 1
         ) n
     )
     SELECT DISTINCT w.account_id FROM c
     CROSS JOIN LATERAL (
         SELECT e.account_id FROM sendgate.enrollments e
         WHERE e.campaign_id OPERATOR(pg_catalog.=) c.campaign_id
           AND e.prospect_id OPERATOR(pg_catalog.=) $1
           AND e.state OPERATOR(pg_catalog.=) ANY (ARRAY['waiting', 'sending', 'parked'])
         OFFSET 0
     ) w
     ORDER BY 1",
    types![text],
);

static CANCEL_ALL: Statement = Statement::new(
    "UPDATE sendgate.enrollments e
     SET state = 'cancelled', next_dispatch_at = NULL, reason = NULL, changed_at = $3
     WHERE e.account_id OPERATOR(pg_catalog.=) $1 AND e.prospect_id OPERATOR(pg_catalog.=) $2
       AND e.state OPERATOR(pg_catalog.=) ANY (ARRAY['waiting', 'sending', 'parked'])",
    types![text, text, instant],
);

fn cancel(args: &Args) -> Answer {
    let campaign = args.id(0, "campaign_id")?;
    let prospect = args.id(1, "prospect_id")?;
    let account = args.optional_id(2, "account_id")?;
    let cancelled = Spi::connect(|spi| {
        let accounts = match account {
            Some(account) => vec![account.to_owned()],
            None => {
                let found = spi.run(&ACCOUNTS, params![campaign, prospect]);
                found.iter().map(|mut row| row.value::<String>()).collect()
            }
        };
        on_each(spi, &accounts, |held| {
            spi.run(&CANCEL, params![held.id(), prospect, campaign, clock::now()]).count()
        })
    })?;
    Ok(cancelled.param())
}

fn cancel_prospect(args: &Args) -> Answer {
    let prospect = args.id(0, "prospect_id")?;
    let cancelled = Spi::connect(|spi| {
        let found = spi.run(&ACCOUNTS_OF_PROSPECT, params![prospect]);
        let accounts: Vec<String> = found.iter().map(|mut row| row.value()).collect();
        on_each(spi, &accounts, |held| {
            spi.run(&CANCEL_ALL, params![held.id(), prospect, clock::now()]).count()
        })
    })?;
    Ok(cancelled.param())
}

/// Cancels on each account in turn, in ascending order; how many enrollments that were.
fn on_each(spi: &Spi, accounts: &[String], cancel: impl Fn(Held<'_>) -> usize) -> Result<i32> {
    let mut cancelled = 0;
    for account in accounts {
        let (held, _) = accounts::hold(spi, account)?;
        cancelled += cancel(held) as i32;
    }
    Ok(cancelled)
}
