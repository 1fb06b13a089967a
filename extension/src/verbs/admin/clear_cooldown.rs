//! `clear_cooldown`: ends cooldowns of an account or one of its actions before their time, and failures in a
//! row start again at 0.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, show_instant, sql_function};
use crate::postgres::param::types;
use crate::postgres::statement::{Spi, Statement};
use crate::settle::cooldowns;
use crate::tables::accounts;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::many::{self, Busy};
use crate::tables::admin_log;
use crate::tables::alerts::{self, About};
use crate::tables::cooldown_log::{self, Why};
use crate::tables::dispatch_queue;
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::failures::Failures;
use sendgate_decision::names::{Action, CooldownCause};
use sendgate_decision::settle::CooldownChange;
use serde_json::{Map, Value, json};

sql_function!(sendgate_clear_cooldown, pg_finfo_sendgate_clear_cooldown, clear_cooldown);

/// Accounts that have failures in a row of some action.
static FAILING: Statement = Statement::new(
    "SELECT a.id FROM sendgate.accounts a
     WHERE a.failures IS NOT NULL AND pg_catalog.strpos(a.failures::pg_catalog.text, 'count')
           OPERATOR(pg_catalog.>) 0",
    types![],
);

fn clear_cooldown(args: &Args) -> Answer {
    let (account, note) = (args.id(0, "account_id")?, args.note(1)?);
    let action = args.optional_action(2)?;
    Spi::connect(|spi| match account {
        alerts::NO_ACCOUNT => clear_failures(spi, action, note),
        account => clear(spi, account, action, note),
    })?;
    VOID
}

/// Ends the cooldowns of one action, or of the account and all its actions.
fn clear(spi: &Spi, account: &str, action: Option<Action>, note: Option<&str>) -> Result<()> {
    let done = accounts::change(spi, account, |row, _| {
        row.clear_cooldowns(action);
        Ok(())
    })?;
    if show(&done.before) == show(&done.after) {
        return Ok(());
    }
    tell(spi, done.held, &done.before, &done.after, note, done.at);
    let subject = action.map_or("cooldown_until", Action::name);
    let change = (show(&done.before), show(&done.after));
    admin_log::write(spi, "clear_cooldown", Some(account), Some(subject), change, note);
    Ok(())
}

/// Ends every cooldown for failures: the provider is back. Other cooldowns stay.
fn clear_failures(spi: &Spi, action: Option<Action>, note: Option<&str>) -> Result<()> {
    if let Some(action) = action {
        return Err(Error::new(
            Code::UnknownValue,
            format!("action must be null for all accounts: \"{}\"", action.name()),
            "clear_cooldown('*', note) ends the cooldowns for failures of all actions.",
            "Leave action out, or name an account.",
        ));
    }
    let ids: Vec<String> =
        spi.run_on_latest_snapshot(&FAILING, &[]).iter().map(|mut row| row.value()).collect();
    let held = many::hold(spi, ids.iter().map(String::as_str), Busy::Wait)?;
    let now = crate::postgres::clock::now();
    let cleared: Vec<(Held<'_>, Account, Account)> = held
        .into_iter()
        .map(|(held, row)| {
            let before = row.account.rolled(now);
            let after = Account { failures: Default::default(), ..before.clone() };
            (held, before, after)
        })
        .filter(|(_, before, after)| before.failures != after.failures)
        .collect();
    let written: Vec<(Held<'_>, &Account)> = cleared.iter().map(|(held, _, after)| (*held, after)).collect();
    many::write(spi, &written);
    for (held, before, after) in &cleared {
        tell(spi, *held, before, after, note, now);
    }
    alerts::resolve(spi, About::Jobs, alerts::PROVIDER_FAILING, now);
    let change = (json!(cleared.len()), json!(0));
    admin_log::write(spi, "clear_cooldown", None, Some("failures"), change, note);
    Ok(())
}

/// Logs what is over, resolves its alerts and wakes the work.
pub(super) fn tell(
    spi: &Spi,
    held: Held<'_>,
    before: &Account,
    after: &Account,
    note: Option<&str>,
    now: Instant,
) {
    let mut changes = Vec::new();
    let mut over = |action, cause| {
        changes.push(CooldownChange { action, cause, until: None, began: false });
    };
    if before.cooldown_until != after.cooldown_until {
        over(None, CooldownCause::Manual);
    }
    for &action in Action::ALL {
        let i = action.index();
        if before.action_cooldown_until[i] != after.action_cooldown_until[i] {
            over(Some(action), CooldownCause::Manual);
            cooldowns::resolve_unavailable(spi, held, before, action, now);
        }
        if before.failures[i].failing.is_some() && after.failures[i].failing.is_none() {
            over(Some(action), CooldownCause::Failing);
            cooldowns::forget_failing(spi, held, action, now);
        }
    }
    cooldown_log::write(spi, held, &changes, Why { note, ..Why::default() }, now);
    cooldowns::resolve_failing(spi, held, after, now);
    dispatch_queue::wake(spi, held, None, now);
}

/// The cooldowns and failures of an account, as the admin log shows them.
fn show(account: &Account) -> Value {
    let mut shown = Map::new();
    if let Some(until) = account.cooldown_until {
        shown.insert("cooldown_until".into(), json!(show_instant(until)));
    }
    for &action in Action::ALL {
        let (until, failures) =
            (account.action_cooldown_until[action.index()], account.failures[action.index()]);
        if until.is_some() || failures != Failures::default() {
            let failing = failures.failing.map(|failing| show_instant(failing.until));
            let entry = json!({ "cooldown_until": until.map(show_instant), "failures": failures.count,
                                "failing_until": failing });
            shown.insert(action.name().into(), entry);
        }
    }
    if shown.is_empty() { Value::Null } else { Value::Object(shown) }
}
