//! `upsert_account`: provisions an account, or changes what is named and nothing else.

use crate::postgres::actor;
use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{
    Answer, Args, DISPLAY_NAME_CHARACTERS_MAX, VOID, null_argument, shown, sql_statements,
};
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::postgres::zone;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::packed;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::admin_log;
use crate::tables::alerts::{self, About};
use crate::tables::config::{self, Config};
use crate::tables::credits;
use crate::tables::dispatch_queue;
use crate::tables::enrollments;
use crate::tables::home_database;
use crate::tables::journal;
use crate::verbs::admin::set_window;
use sendgate_decision::account::Account;
use sendgate_decision::breaker::Reading;
use sendgate_decision::budget::Budget;
use sendgate_decision::names::Action;
use serde_json::Value;

sql_statements!(sendgate_upsert_account, pg_finfo_sendgate_upsert_account, upsert_account);

static INSERT: Statement = Statement::new(
    "INSERT INTO sendgate.accounts (id, tier, day, sent_before, display_name, time_zone, credit_reset_day, ramp)
     VALUES ($1, $2, $3, $4, $5, COALESCE($6, 'UTC'), COALESCE($7, 1), COALESCE($8, false))
     ON CONFLICT (id) DO NOTHING",
    types![text, text, date, bytes, text, text, int2, bool],
);

/// Switching the ramp on starts it afresh; leaving it on does not.
static UPDATE: Statement = Statement::new(
    "UPDATE sendgate.accounts a
     SET version = a.version OPERATOR(pg_catalog.+) 1,
         tier = COALESCE($2, a.tier), display_name = COALESCE($3, a.display_name),
         time_zone = COALESCE($4, a.time_zone), credit_reset_day = COALESCE($5, a.credit_reset_day),
         credit_reset_changed_at = CASE WHEN $5 OPERATOR(pg_catalog.<>) a.credit_reset_day THEN $7
                                        ELSE a.credit_reset_changed_at END,
         ramp = COALESCE($6, a.ramp), ramp_days = CASE WHEN $6 AND NOT a.ramp THEN 0 ELSE a.ramp_days END
     WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text, text, text, text, int2, bool, instant],
);

static SHOW: Statement = Statement::new(
    "SELECT pg_catalog.jsonb_build_object('tier', a.tier, 'display_name', a.display_name,
         'time_zone', a.time_zone, 'credit_reset_day', a.credit_reset_day, 'ramp', a.ramp,
         'window_start', a.window_start, 'window_end', a.window_end,
         'window_days', sendgate.window_days_array(a.window_days))::pg_catalog.text
     FROM sendgate.accounts a WHERE a.id OPERATOR(pg_catalog.=) $1",
    types![text],
);

/// Keeps drop_tier_cap from dropping the tier until this transaction ends.
static KEEP_TIER: Statement = Statement::new(
    "SELECT 1 FROM sendgate.tier_overrides t WHERE t.tier OPERATOR(pg_catalog.=) $1 FOR KEY SHARE",
    types![text],
);

static EXISTS: Statement =
    Statement::new("SELECT 1 FROM sendgate.accounts a WHERE a.id OPERATOR(pg_catalog.=) $1", types![text]);

/// What is to be changed; none = as it is, or the default of a new account.
struct Change<'a> {
    tier: Option<&'a str>,
    display_name: Option<&'a str>,
    time_zone: Option<&'a str>,
    window: set_window::Parts,
    credit_reset_day: Option<i16>,
    ramp: Option<bool>,
}

fn upsert_account(args: &Args) -> Answer {
    let account = args.id(0, "account_id")?;
    let change = Change {
        tier: args.optional_id(1, "tier")?,
        display_name: args.optional_text(2, "display_name", DISPLAY_NAME_CHARACTERS_MAX)?,
        time_zone: args.optional_id(3, "time_zone")?,
        window: set_window::Parts::read(args, 4)?,
        credit_reset_day: args.optional_number(7, "credit_reset_day", 1, 31)?.map(|day| day as i16),
        ramp: args.optional(8),
    };
    Spi::connect(|spi| upsert(spi, account, &change, ATTEMPTS_MAX))?;
    VOID
}

/// How often an account may be neither made nor found: it is removed between the two looks, which happens once, or a
/// trigger leaves its row out.
const ATTEMPTS_MAX: u8 = 10;

fn upsert(spi: &Spi, account: &str, change: &Change<'_>, attempts: u8) -> Result<()> {
    if !config::current(spi).has_home {
        home_database::record(spi, &actor::name(), clock::now())?;
    }
    if let Some(tier) = change.tier {
        spi.run_waiting(&KEEP_TIER, params![tier])?;
        check_tier(&config::current(spi), tier)?;
    }
    if let Some(time_zone) = change.time_zone {
        zone::check(spi, time_zone)?;
    }
    let (held, before, earlier) = if let Some(held) = insert(spi, account, change)? {
        (held, Value::Null, None)
    } else {
        let Some((held, mut row)) = accounts::hold_if_there(account)? else {
            if attempts == 0 {
                dropped("accounts", 1, 0);
            }
            // It was removed meanwhile, so this is a new one.
            return upsert(spi, account, change, attempts - 1);
        };
        // A period that has begun is of the tier and the day of before.
        credits::roll(spi, account, &mut row, clock::now());
        accounts::write_held(spi, held, row.version, &closed_until_now(spi, &row))?;
        let before = show(spi, account);
        update(spi, held, change);
        if let Some(reset_day) = change.credit_reset_day {
            let now = clock::now();
            match row.account.breaker.read(reset_day as u8, now) {
                Reading::Open { retry_at } => enrollments::defer_anew(spi, held, retry_at, now),
                _ => enrollments::defer_anew(spi, held, now, now),
            }
        }
        (held, before, row.account.window)
    };
    let window = change.window.over(earlier)?;
    if window != earlier {
        set_window::write(spi, held, window);
    }
    let after = show(spi, account);
    let now = clock::now();
    dispatch_queue::wake(spi, held, None, now);
    if change.time_zone.is_some() {
        alerts::resolve(spi, About::Account(held), "undecidable_account", now);
    }
    if before != after {
        admin_log::write(spi, "upsert_account", Some(account), None, (before, after), None);
    }
    Ok(())
}

/// The row up to now, before the change: a ramp that is switched on must not count an earlier day as its own,
/// and a ramp or a tier that lowers the cap must raise no alert about sends under the higher cap.
fn closed_until_now(spi: &Spi, before: &AccountRow) -> Account {
    let mut row = before.account.rolled(clock::now());
    let tier_cap = config::current(spi).tier_cap(&before.tier, Action::Inmail);
    let cap = Budget::of(&row, Action::Inmail, &tier_cap).daily_cap;
    row.inmail_cap_today = row.inmail_cap_today.max(cap);
    row
}

/// Inserts a new account; none when it exists.
fn insert<'a>(spi: &'a Spi, account: &'a str, change: &Change<'_>) -> Result<Option<Held<'a>>> {
    if spi.run(&EXISTS, params![account]).count() > 0 {
        return Ok(None);
    }
    let tier = change.tier.ok_or_else(|| null_argument("tier"))?;
    if account == alerts::NO_ACCOUNT {
        return Err(stands_for_all(account));
    }
    let today = clock::now().day();
    // An account of this id may have been here before: what it sent counts.
    let before =
        journal::many::recall(spi, &[(account, today)]).pop().map(|of| packed::pack_days(&of.sent_before));
    let inserted = spi.run_waiting(
        &INSERT,
        params![
            account,
            tier,
            today,
            before,
            change.display_name,
            change.time_zone,
            change.credit_reset_day,
            change.ramp
        ],
    )?;
    Ok(Held::by_insert(account, inserted.count()))
}

fn update(spi: &Spi, account: Held<'_>, change: &Change<'_>) {
    spi.run(
        &UPDATE,
        params![
            account.id(),
            change.tier,
            change.display_name,
            change.time_zone,
            change.credit_reset_day,
            change.ramp,
            clock::now()
        ],
    );
}

fn show(spi: &Spi, account: &str) -> Value {
    let text: Option<String> = spi.run(&SHOW, params![account]).first().and_then(|mut row| row.nullable());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}

fn stands_for_all(account: &str) -> Error {
    Error::new(
        Code::InvalidText,
        format!("account_id must not be \"{account}\""),
        "It stands for all accounts: in alerts, and in clear_cooldown.",
        "Choose another id.",
    )
}

/// Passes the name of a tier that exists.
pub(super) fn check_tier(config: &Config, tier: &str) -> Result<()> {
    if config.has_tier(tier) {
        return Ok(());
    }
    Err(Error::new(
        Code::UnknownTier,
        format!("unknown tier: \"{}\"", shown(tier)),
        format!("Known tiers: {}.", config.tier_names()),
        "Define a new tier with set_tier_cap(tier, action, daily_cap), one call for each action that it allows.",
    ))
}
