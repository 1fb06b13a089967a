//! `set_campaign`: how many slots of each account's day a campaign may take.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::Result;
use crate::postgres::function::{Answer, Args, VOID, sql_function};
use crate::postgres::param::{params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::admin_log;
use crate::tables::campaigns::{Limits, limit_columns, read_limits};
use crate::tables::dispatch_queue;
use crate::verbs::admin::CAP_MAX;
use pgrx::pg_sys;
use sendgate_decision::names::Action;
use serde_json::{Map, Value, json};

sql_function!(sendgate_set_campaign, pg_finfo_sendgate_set_campaign, set_campaign);

static HOLD: Statement = Statement::new(
    concat!(
        "SELECT ",
        limit_columns!(),
        " FROM sendgate.campaigns k WHERE k.campaign_id OPERATOR(pg_catalog.=) $1 FOR UPDATE"
    ),
    types![text],
);

const WRITE_TYPES: &[pg_sys::Oid] = types![text, instant, text, text, int4, int4, int4, int4, int4];

static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.campaigns (campaign_id, set_at, actor, note, inmail_limit, invite_limit,
         message_limit, profile_view_limit, engagement_limit)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
     ON CONFLICT (campaign_id) DO NOTHING",
    WRITE_TYPES,
);

static UPDATE: Statement = Statement::new(
    "UPDATE sendgate.campaigns k
     SET set_at = $2, actor = $3, note = $4, inmail_limit = $5, invite_limit = $6, message_limit = $7,
         profile_view_limit = $8, engagement_limit = $9
     WHERE k.campaign_id OPERATOR(pg_catalog.=) $1",
    WRITE_TYPES,
);

static DELETE: Statement = Statement::new(
    "DELETE FROM sendgate.campaigns k WHERE k.campaign_id OPERATOR(pg_catalog.=) $1",
    types![text],
);

fn set_campaign(args: &Args) -> Answer {
    let campaign = args.id(0, "campaign_id")?;
    let mut limits = Limits::default();
    for (i, action) in Action::ALL.iter().enumerate() {
        let name = format!("{}_limit", action.name());
        limits[action.index()] = args.optional_number(i + 1, &name, 0, CAP_MAX)?;
    }
    let note = args.note(6)?;
    Spi::connect(|spi| set(spi, campaign, limits, note))?;
    VOID
}

/// How often the first limits of a campaign may be neither written nor found: other sessions set and remove them
/// meanwhile, or a trigger leaves the row out.
const ATTEMPTS_MAX: u8 = 10;

fn set(spi: &Spi, campaign: &str, limits: Limits, note: Option<&str>) -> Result<()> {
    commit::synchronously();
    let now = clock::now();
    let mut attempts = 0;
    let before = loop {
        let held =
            spi.run_waiting(&HOLD, params![campaign])?.first().map(|mut row: Row| read_limits(&mut row));
        let before = held.unwrap_or_default();
        if limits == before {
            return Ok(());
        }
        let values = params![
            campaign,
            now,
            &actor::name(),
            note,
            limits[0],
            limits[1],
            limits[2],
            limits[3],
            limits[4]
        ];
        let written = match held {
            Some(_) if limits == Limits::default() => spi.run(&DELETE, params![campaign]),
            Some(_) => spi.run(&UPDATE, values),
            None => spi.run_waiting(&INSERT, values)?,
        };
        if written.count() > 0 {
            break before;
        }
        // Another session set the first limits of this campaign meanwhile: go by them. A row that is held is written,
        // or a trigger leaves it out.
        attempts += 1;
        if held.is_some() || attempts == ATTEMPTS_MAX {
            dropped("campaigns", 1, 0);
        }
    };
    let is_raised = |(new, old): (&Option<i32>, &Option<i32>)| match (new, old) {
        (None, old) => old.is_some(),
        (Some(new), old) => old.is_some_and(|old| *new > old),
    };
    if limits.iter().zip(&before).any(is_raised) {
        dispatch_queue::wake_campaign(spi, campaign, now);
    }
    admin_log::write(spi, "set_campaign", None, Some(campaign), (show(&before), show(&limits)), note);
    Ok(())
}

fn show(limits: &Limits) -> Value {
    let limited = Action::ALL.iter().filter_map(|action| {
        limits[action.index()].map(|limit| (format!("{}_limit", action.name()), json!(limit)))
    });
    let limited: Map<String, Value> = limited.collect();
    if limited.is_empty() { Value::Null } else { Value::Object(limited) }
}
