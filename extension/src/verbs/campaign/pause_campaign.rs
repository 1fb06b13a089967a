//! `pause_campaign` and `resume_campaign`: a campaign's work waits as it is. A dispatch that runs at
//! the same moment may still hand out what it has picked.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::function::{Answer, Args, VOID, sql_function};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::admin_log;
use crate::tables::dispatch_queue;
use serde_json::{Value, json};

sql_function!(sendgate_pause_campaign, pg_finfo_sendgate_pause_campaign, pause_campaign);
sql_function!(sendgate_resume_campaign, pg_finfo_sendgate_resume_campaign, resume_campaign);

static PAUSE: Statement = Statement::new(
    "INSERT INTO sendgate.paused_campaigns (campaign_id, paused_at, actor) VALUES ($1, $2, $3)
     ON CONFLICT DO NOTHING",
    types![text, instant, text],
);

static IS_PAUSED: Statement = Statement::new(
    "SELECT 1 FROM sendgate.paused_campaigns p WHERE p.campaign_id OPERATOR(pg_catalog.=) $1",
    types![text],
);

/// How often a campaign may be neither paused nor found paused.
const ATTEMPTS_MAX: u8 = 10;

static RESUME: Statement = Statement::new(
    "DELETE FROM sendgate.paused_campaigns p WHERE p.campaign_id OPERATOR(pg_catalog.=) $1",
    types![text],
);

static HOLD: Statement = Statement::new(
    "SELECT 1 FROM sendgate.paused_campaigns p WHERE p.campaign_id OPERATOR(pg_catalog.=) $1 FOR UPDATE",
    types![text],
);

fn pause_campaign(args: &Args) -> Answer {
    let campaign = args.id(0, "campaign_id")?;
    Spi::connect(|spi| {
        let now = clock::now();
        let pause = || Ok(spi.run_waiting(&PAUSE, params![campaign, now, &actor::name()])?.count() > 0);
        let (mut paused, mut attempts) = (pause()?, 1);
        // It was paused already; or until now; or a trigger leaves the row out.
        while !paused && spi.run_on_latest_snapshot(&IS_PAUSED, params![campaign]).count() == 0 {
            if attempts == ATTEMPTS_MAX {
                dropped("paused_campaigns", 1, 0);
            }
            (paused, attempts) = (pause()?, attempts + 1);
        }
        if paused {
            admin_log::write(
                spi,
                "pause_campaign",
                None,
                Some(campaign),
                (Value::Null, json!("paused")),
                None,
            );
        }
        Ok(())
    })?;
    VOID
}

fn resume_campaign(args: &Args) -> Answer {
    let campaign = args.id(0, "campaign_id")?;
    Spi::connect(|spi| {
        if spi.run_waiting(&HOLD, params![campaign])?.count() > 0 {
            spi.run(&RESUME, params![campaign]).must_be(1, "paused_campaigns");
            dispatch_queue::wake_campaign(spi, campaign, clock::now());
            admin_log::write(
                spi,
                "resume_campaign",
                None,
                Some(campaign),
                (json!("paused"), Value::Null),
                None,
            );
        }
        Ok(())
    })?;
    VOID
}
