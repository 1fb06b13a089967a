//! `cancel` and `cancel_prospect`: take a prospect out of a campaign, or of all. What is at the provider already cannot be called
//! back: its operation goes on, but nothing is attempted again.

use crate::postgres::clock;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, sql_function};
use crate::postgres::param::{IntoParam, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::enrollments::of_prospect;
use sendgate_decision::names::EnrollmentState;

sql_function!(sendgate_cancel, pg_finfo_sendgate_cancel, cancel);
sql_function!(sendgate_cancel_prospect, pg_finfo_sendgate_cancel_prospect, cancel_prospect);

/// States of work that may still be sent.
const OPEN: [EnrollmentState; 3] =
    [EnrollmentState::Waiting, EnrollmentState::Sending, EnrollmentState::Parked];

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
        on_each(&accounts, |held| {
            spi.run(&CANCEL, params![held.id(), prospect, campaign, clock::now()]).count()
        })
    })?;
    Ok(cancelled.param())
}

fn cancel_prospect(args: &Args) -> Answer {
    let prospect = args.id(0, "prospect_id")?;
    let cancelled = Spi::connect(|spi| {
        let accounts = of_prospect::accounts(spi, prospect, &OPEN);
        on_each(&accounts, |held| spi.run(&CANCEL_ALL, params![held.id(), prospect, clock::now()]).count())
    })?;
    Ok(cancelled.param())
}

/// Cancels on each account in turn, in ascending order; how many enrollments that were.
fn on_each(accounts: &[String], cancel: impl Fn(Held<'_>) -> usize) -> Result<i32> {
    let mut cancelled = 0;
    for account in accounts {
        let (held, _) = accounts::hold(account)?;
        cancelled += cancel(held) as i32;
    }
    Ok(cancelled)
}
