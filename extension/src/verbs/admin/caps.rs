//! `set_cap` for one account; `set_tier_cap` and `drop_tier_cap` for a tier.

use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, shown, sql_function};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::accounts;
use crate::tables::admin_log;
use crate::tables::config;
use crate::tables::dispatch_queue;
use crate::verbs::admin::CAP_MAX;
use crate::verbs::admin::upsert_account::check_tier;
use sendgate_decision::account::CapOverride;
use sendgate_decision::budget::Budget;
use sendgate_decision::names::Action;
use serde_json::{Value, json};

sql_function!(sendgate_set_cap, pg_finfo_sendgate_set_cap, set_cap);
sql_function!(sendgate_set_tier_cap, pg_finfo_sendgate_set_tier_cap, set_tier_cap);
sql_function!(sendgate_drop_tier_cap, pg_finfo_sendgate_drop_tier_cap, drop_tier_cap);

/// Longest minimum gap, in days.
const MINIMUM_GAP_DAYS_MAX: i64 = 31;

/// What a ramp starts with and adds each day where `set_tier_cap` does not say, in percent.
const RAMP_PERCENT_DEFAULT: i32 = 20;

/// All ten caps, whichever of them changed: one statement for all actions, which operators call seldom.
static WRITE_CAPS: Statement = Statement::new(
    "UPDATE sendgate.accounts a
     SET inmail_daily_cap = $2, invite_daily_cap = $3, message_daily_cap = $4,
         profile_view_daily_cap = $5, engagement_daily_cap = $6,
         inmail_weekly_cap = $7, invite_weekly_cap = $8, message_weekly_cap = $9,
         profile_view_weekly_cap = $10, engagement_weekly_cap = $11
     WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text, int4, int4, int4, int4, int4, int4, int4, int4, int4, int4],
);

/// The gap is shown alike, whatever the session's `IntervalStyle`.
static READ_TIER_CAP: Statement = Statement::new(
    "SELECT pg_catalog.jsonb_build_object('daily_cap', t.daily_cap, 'weekly_cap', t.weekly_cap,
         'minimum_gap', pg_catalog.regexp_replace(
             pg_catalog.to_char(t.minimum_gap, 'HH24:MI:SS.US'), '\\.000000$', ''),
         'ramp_start_percent', t.ramp_start_percent,
         'ramp_step_percent', t.ramp_step_percent)::pg_catalog.text
     FROM sendgate.tiers t
     WHERE t.tier OPERATOR(pg_catalog.=) $1 AND t.action OPERATOR(pg_catalog.=) $2",
    types![text, text],
);

static WRITE_TIER_CAP: Statement = Statement::new(
    "INSERT INTO sendgate.tier_overrides AS t (tier, action, daily_cap, weekly_cap, minimum_gap,
         ramp_start_percent, ramp_step_percent)
     VALUES ($1, $2, $3, $4, $5::pg_catalog.text::pg_catalog.interval, $6, $6)
     ON CONFLICT (tier, action) DO UPDATE
     SET daily_cap = EXCLUDED.daily_cap, weekly_cap = EXCLUDED.weekly_cap,
         minimum_gap = EXCLUDED.minimum_gap, ramp_start_percent = EXCLUDED.ramp_start_percent,
         ramp_step_percent = EXCLUDED.ramp_step_percent",
    types![text, text, int4, int4, text, int4],
);

/// All lines of a tier: two that drop one line each must not both believe that the other's stays.
static HOLD_TIER: Statement = Statement::new(
    "SELECT 1 FROM sendgate.tier_overrides t WHERE t.tier OPERATOR(pg_catalog.=) $1
     ORDER BY t.action USING OPERATOR(pg_catalog.<) FOR UPDATE",
    types![text],
);

static DROP_TIER_CAP: Statement = Statement::new(
    "DELETE FROM sendgate.tier_overrides t
     WHERE t.tier OPERATOR(pg_catalog.=) $1 AND t.action OPERATOR(pg_catalog.=) $2",
    types![text, text],
);

/// Its line is held, so a DELETE that finds none while this does was kept from it by a trigger.
static HAS_TIER_CAP: Statement = Statement::new(
    "SELECT 1 FROM sendgate.tier_overrides t
     WHERE t.tier OPERATOR(pg_catalog.=) $1 AND t.action OPERATOR(pg_catalog.=) $2",
    types![text, text],
);

/// Runs after the row is deleted; the DELETE waited for sessions that were moving an account into the tier.
static ORPHANS: Statement = Statement::new(
    "SELECT a.id FROM sendgate.accounts a
     WHERE a.tier OPERATOR(pg_catalog.=) $1
       AND NOT EXISTS (SELECT FROM sendgate.tiers t WHERE t.tier OPERATOR(pg_catalog.=) $1)
     LIMIT 1",
    types![text],
);

fn set_cap(args: &Args) -> Answer {
    let (account, action) = (args.id(0, "account_id")?, args.action(1)?);
    let cap = CapOverride {
        daily: args.optional_number(2, "daily_cap", 0, CAP_MAX)?,
        weekly: args.optional_number(3, "weekly_cap", 0, CAP_MAX)?,
    };
    let note = args.note(4)?;
    Spi::connect(|spi| {
        let tier_cap = config::current(spi);
        let (held, row) = accounts::hold(account)?;
        let tier_cap = tier_cap.tier_cap(&row.tier, action);
        let now = clock::now();
        let mut after = row.account.rolled(now);
        let old = std::mem::replace(&mut after.caps[action.index()], cap);
        if action == Action::Inmail {
            // Lowering a cap is no offence: the audit measures against the day's highest.
            let before = Budget::of(&row.account.rolled(now), action, &tier_cap).daily_cap;
            let after_it = Budget::of(&after, action, &tier_cap).daily_cap;
            after.inmail_cap_today = after.inmail_cap_today.max(before).max(after_it);
        }
        accounts::write_held(spi, held, row.version, &after)?;
        let (daily, weekly) = (after.caps.map(|c| c.daily), after.caps.map(|c| c.weekly));
        spi.run(
            &WRITE_CAPS,
            params![
                held.id(),
                daily[0],
                daily[1],
                daily[2],
                daily[3],
                daily[4],
                weekly[0],
                weekly[1],
                weekly[2],
                weekly[3],
                weekly[4]
            ],
        );
        dispatch_queue::wake(spi, held, Some(action), now);
        let change = (show_cap(old), show_cap(cap));
        admin_log::write(spi, "set_cap", Some(account), Some(action.name()), change, note);
        Ok(())
    })?;
    VOID
}

fn show_cap(cap: CapOverride) -> Value {
    json!({ "daily_cap": cap.daily, "weekly_cap": cap.weekly })
}

fn set_tier_cap(args: &Args) -> Answer {
    let (tier, action) = (args.id(0, "tier")?, args.action(1)?);
    let daily_cap = args.number(2, "daily_cap", 0, CAP_MAX)?;
    let weekly_cap = args.optional_number(3, "weekly_cap", 0, CAP_MAX)?;
    let minimum_gap = args.optional_interval(4, "minimum_gap", MINIMUM_GAP_DAYS_MAX)?.unwrap_or(0);
    let ramp_percent = args.optional_number(5, "ramp_percent", 1, 100)?.unwrap_or(RAMP_PERCENT_DEFAULT);
    Spi::connect(|spi| {
        commit::synchronously();
        let before = show_tier_cap(spi, tier, action);
        let gap = format!("{minimum_gap} microseconds");
        spi.run_waiting(
            &WRITE_TIER_CAP,
            params![tier, action.name(), daily_cap, weekly_cap, &gap, ramp_percent],
        )?
        .must_be(1, "tier_overrides");
        dispatch_queue::wake_tier(spi, tier, action, clock::now());
        let change = (before, show_tier_cap(spi, tier, action));
        admin_log::write(spi, "set_tier_cap", None, Some(&subject(tier, action)), change, None);
        Ok(())
    })?;
    VOID
}

fn drop_tier_cap(args: &Args) -> Answer {
    let (tier, action) = (args.id(0, "tier")?, args.action(1)?);
    Spi::connect(|spi| {
        commit::synchronously();
        check_tier(&config::current(spi), tier)?;
        spi.run_waiting(&HOLD_TIER, params![tier])?;
        let before = show_tier_cap(spi, tier, action);
        let key = params![tier, action.name()];
        if spi.run_waiting(&DROP_TIER_CAP, key)?.count() == 0 {
            if spi.run_on_latest_snapshot(&HAS_TIER_CAP, key).count() > 0 {
                dropped("tier_overrides", 1, 0);
            }
            return Ok(());
        }
        check_orphans(spi, tier)?;
        dispatch_queue::wake_tier(spi, tier, action, clock::now());
        let change = (before, show_tier_cap(spi, tier, action));
        admin_log::write(spi, "drop_tier_cap", None, Some(&subject(tier, action)), change, None);
        Ok(())
    })?;
    VOID
}

fn check_orphans(spi: &Spi, tier: &str) -> Result<()> {
    let Some(mut row) = spi.run_on_latest_snapshot(&ORPHANS, params![tier]).first() else {
        return Ok(());
    };
    Err(Error::new(
        Code::TierInUse,
        format!("tier \"{}\" is in use and would vanish", shown(tier)),
        format!("Account \"{}\" is in it, and it has no other cap.", shown(&row.value::<String>())),
        "Move its accounts to another tier with upsert_account first.",
    ))
}

fn show_tier_cap(spi: &Spi, tier: &str, action: Action) -> Value {
    let row = spi.run(&READ_TIER_CAP, params![tier, action.name()]).first();
    let text: Option<String> = row.and_then(|mut row| row.nullable());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

fn subject(tier: &str, action: Action) -> String {
    format!("{tier}/{}", action.name())
}
