//! Tells of cooldowns that an answer began, moved or ended: the log, the alerts, and the work that may go on.

use crate::postgres::statement::Spi;
use crate::tables::accounts::held::Held;
use crate::tables::alerts::{self, About};
use crate::tables::cooldown_log::{self, Why};
use crate::tables::dispatch_queue;
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, CooldownCause};
use sendgate_decision::settle::CooldownChange;

/// The alert about an account when one of its actions fails again and again.
pub const FAILING: &str = "failing";

/// The alert about an action that the account's plan or seat does not include.
const UNAVAILABLE: &str = "action_unavailable";

/// Logs the changes, opens and resolves the alerts about them, and wakes the work of an action that may go on
/// sooner than it was told. `after` is the account with the changes.
pub fn tell(
    spi: &Spi,
    account: Held<'_>,
    after: &Account,
    changes: &[CooldownChange],
    why: Why<'_>,
    now: Instant,
) {
    if changes.is_empty() {
        return;
    }
    cooldown_log::write(spi, account, changes, why, now);
    for change in changes {
        let Some(action) = change.action else { continue };
        match (change.cause, change.until) {
            (CooldownCause::Failing, Some(_)) if change.began => {
                let detail = detail(action, "failed again and again", why);
                alerts::open(spi, account, FAILING, after.day, &detail, now);
            }
            (CooldownCause::ActionUnavailable, Some(_)) => {
                let detail = detail(action, "is not included in the account's plan or seat", why);
                alerts::open(spi, account, UNAVAILABLE, after.day, &detail, now);
            }
            _ => {}
        }
        if change.until.is_none_or(|until| until <= now) {
            dispatch_queue::wake(spi, account, Some(action), now);
        } else if let (CooldownCause::Failing, Some(until), false) =
            (change.cause, change.until, change.began)
        {
            // The work slept to the end of the one attempt that was out, which may be later than this silence.
            dispatch_queue::ticket(spi, account.id(), action, until);
        }
    }
    if changes.iter().any(|change| change.cause == CooldownCause::Failing && change.until.is_none()) {
        resolve_failing(spi, account, after, now);
    }
}

/// Resolves the alert about failures once no action of the account is failing.
pub fn resolve_failing(spi: &Spi, account: Held<'_>, after: &Account, now: Instant) {
    if after.failures.iter().all(|failures| failures.failing.is_none()) {
        alerts::resolve(spi, About::Account(account), FAILING, now);
    }
}

/// An action was delivered: it is included in the account's plan after all. Nothing is looked up on an account
/// without a cooldown of that action.
pub fn resolve_unavailable(spi: &Spi, account: Held<'_>, before: &Account, action: Action, now: Instant) {
    if before.action_cooldown_until[action.index()].is_some() {
        alerts::resolve_about(spi, account, UNAVAILABLE, &format!("{}: ", action.name()), now);
    }
}

/// What an alert says: the action, what happened, and the provider's last words.
fn detail(action: Action, what: &str, why: Why<'_>) -> String {
    let error = why.error;
    let status = error.and_then(|error| error.http_status).map(|status| status.to_string());
    let said = [
        status,
        error.and_then(|error| error.error_type.clone()),
        error.and_then(|error| error.message.clone()),
    ];
    let said: Vec<String> = said.into_iter().flatten().collect();
    let words = if said.is_empty() { "no answer".to_owned() } else { said.join(" ") };
    format!("{}: {what}; the provider said: {words}", action.name())
}
