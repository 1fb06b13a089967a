//! Tells of cooldowns that an answer began, moved or ended: the log, the alerts, and the work that may go on.

use crate::postgres::statement::Spi;
use crate::tables::accounts::held::Held;
use crate::tables::alerts::by_action::{self, FAILING, UNAVAILABLE};
use crate::tables::alerts::{self, About};
use crate::tables::cooldown_log::{self, Why};
use crate::tables::dispatch_queue;
use crate::tables::journal::ErrorNote;
use sendgate_decision::account::Account;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::names::{Action, CooldownCause};
use sendgate_decision::settle::CooldownChange;

/// What an alert has in place of the provider's words where there are none.
const NO_ANSWER: &str = "no answer";

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
        if change.cause == CooldownCause::Failing {
            tell_failing(spi, account, action, change, after.day, why, now);
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

/// Opens the alert about an action that fails, keeps the provider's last words in it, and takes the action out of it.
fn tell_failing(
    spi: &Spi,
    account: Held<'_>,
    action: Action,
    change: &CooldownChange,
    day: Day,
    why: Why<'_>,
    now: Instant,
) {
    let words = why.error.and_then(said);
    match (change.until, words) {
        (None, _) => by_action::settle(spi, account, &FAILING, action, now),
        (Some(_), words) if change.began => {
            let words = words.as_deref().unwrap_or(NO_ANSWER);
            by_action::raise(spi, account, &FAILING, action, words, day, now);
        }
        (Some(_), Some(words)) => by_action::renew(spi, account, &FAILING, action, &words),
        // It expired, or never left the worker: the provider said nothing new.
        (Some(_), None) => {}
    }
}

/// Resolves the alerts about failures once no action of the account is failing.
pub fn resolve_failing(spi: &Spi, account: Held<'_>, after: &Account, now: Instant) {
    if after.failures.iter().all(|failures| failures.failing.is_none()) {
        alerts::resolve(spi, About::Account(account), FAILING.name, now);
    }
}

/// An operator ended the failures of one action, or they were forgotten.
pub fn forget_failing(spi: &Spi, account: Held<'_>, action: Action, now: Instant) {
    by_action::settle(spi, account, &FAILING, action, now);
}

/// The provider says that the account's plan or seat lacks the action, whatever cooldown lasts: opens the alert,
/// or says it in the open one of the day.
pub fn tell_unavailable(
    spi: &Spi,
    account: Held<'_>,
    action: Action,
    error: &ErrorNote,
    day: Day,
    now: Instant,
) {
    let words = said(error);
    let words = words.as_deref().unwrap_or(NO_ANSWER);
    by_action::raise(spi, account, &UNAVAILABLE, action, words, day, now);
}

/// An action was delivered: it is included in the account's plan after all. Nothing is looked up on an account
/// without a cooldown of that action.
pub fn resolve_unavailable(spi: &Spi, account: Held<'_>, before: &Account, action: Action, now: Instant) {
    if before.action_cooldown_until[action.index()].is_some() {
        by_action::settle(spi, account, &UNAVAILABLE, action, now);
    }
}

/// The provider's words; none where it said nothing.
fn said(error: &ErrorNote) -> Option<String> {
    let status = error.http_status.map(|status| status.to_string());
    let said: Vec<String> =
        [status, error.error_type.clone(), error.message.clone()].into_iter().flatten().collect();
    (!said.is_empty()).then(|| said.join(" "))
}
