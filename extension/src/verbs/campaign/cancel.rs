//! `cancel`: takes a prospect out of a campaign. What is at the provider already cannot be called
//! back: its operation goes on, but nothing is attempted again.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;

sql_function!(sendgate_cancel, pg_finfo_sendgate_cancel, cancel);

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
        cancel_on(spi, &accounts, campaign, prospect)
    })?;
    Ok(cancelled.param())
}

/// Cancels on each account in turn, in ascending order; how many enrollments that were.
fn cancel_on(spi: &Spi, accounts: &[String], campaign: &str, prospect: &str) -> Result<i32> {
    let mut cancelled = 0;
    for account in accounts {
        let (held, _) = accounts::hold(spi, account)?;
        let rows = spi.run(&CANCEL, params![held.id(), prospect, campaign, clock::now()]);
        cancelled += rows.count() as i32;
    }
    Ok(cancelled)
}
