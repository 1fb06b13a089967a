//! Accounts that are held, written where they lie (`postgres/table_write.rs`): what grants change.

use crate::postgres::commit;
use crate::postgres::jsonb;
use crate::postgres::param::{IntoParam, Param};
use crate::postgres::row::Place;
use crate::postgres::table_write::Table;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::packed;
use crate::tables::accounts::turns::{self, AllTurns};
use sendgate_decision::account::Account;
use sendgate_decision::names::ACTIONS;

/// None of these is a column of `account_is_sound`.
static ACCOUNTS: Table = Table::changed(
    c"accounts",
    &[
        "version",
        "day",
        "sent_before",
        "inmail_cap_today",
        "ramp_days",
        "status",
        "cooldown_until",
        "breaker_mode",
        "breaker_cleared_at",
        "turns",
        "inmails_sent_today",
        "invites_sent_today",
        "messages_sent_today",
        "profile_views_sent_today",
        "engagements_sent_today",
        "inmail_attempts_today",
        "invite_attempts_today",
        "message_attempts_today",
        "profile_view_attempts_today",
        "engagement_attempts_today",
        "inmail_last_at",
        "invite_last_at",
        "message_last_at",
        "profile_view_last_at",
        "engagement_last_at",
    ],
    &[],
);

const VERSION: usize = 0;
const STATUS: usize = 5;
const MODE: usize = 7;
const TURNS: usize = 9;
/// The first of those that each action has.
const BY_ACTION: usize = 10;

/// What an account becomes that is held.
pub struct Change<'a> {
    /// Where its row lies, which is held there.
    pub at: Place,
    /// As it was read.
    pub before: &'a Account,
    /// Whether it had credits when it was read, as [`has_credits`] says.
    pub had_credits: bool,
    /// As it is to be.
    pub after: &'a Account,
    /// Whose turn it is between campaigns; none where that does not change.
    pub turns: Option<&'a AllTurns>,
}

/// Whether an account has a known balance, a stamp or a permit. Rules over these columns are kept by a trigger, so
/// statements write them.
pub fn has_credits(account: &Account) -> bool {
    account.credits.is_some() || account.breaker.exhausted_at.is_some() || account.breaker.probe.is_some()
}

impl Change<'_> {
    fn is_simple(&self) -> bool {
        let (before, after) = (self.before, self.after);
        !self.had_credits
            && !has_credits(before)
            && !has_credits(after)
            && before.failures == after.failures
            && before.action_cooldown_until == after.action_cooldown_until
    }
}

/// Writes these accounts. Those that it leaves to a statement are returned, by their place in the list: all of them
/// where any has more to be written than grants change.
pub fn write(accounts: &[(Held<'_>, Change<'_>)]) -> Vec<usize> {
    let all = || (0..accounts.len()).collect();
    if accounts.is_empty() {
        return Vec::new();
    }
    if !accounts.iter().all(|(_, change)| change.is_simple()) {
        return all();
    }
    let Some(mut table) = ACCOUNTS.open() else {
        return all();
    };
    commit::synchronously();
    let mut left = Vec::new();
    for (i, (_, change)) in accounts.iter().enumerate() {
        if !table.read(change.at) {
            left.push(i);
            continue;
        }
        let version = table.value(VERSION).map_or(0, |version| version.value() as i64);
        table.set(VERSION, (version + 1).param());
        for (column, value) in columns(change.after) {
            table.set(column, value);
        }
        if change.before.status != change.after.status {
            table.set(STATUS, change.after.status.name().param());
        }
        if change.before.breaker.mode != change.after.breaker.mode {
            table.set(MODE, change.after.breaker.mode.name().param());
        }
        if let Some(turns) = change.turns {
            table.set(TURNS, turns::pack(turns).and_then(|turns| jsonb::of_text(&turns)));
        }
        if !table.update() {
            left.push(i);
        }
    }
    table.close();
    left
}

/// The columns that a grant may change, by their place in [`ACCOUNTS`].
fn columns(account: &Account) -> impl Iterator<Item = (usize, Param)> + '_ {
    let single = [
        (1, account.day.param()),
        (2, account.sent_before.as_ref().map(packed::pack_days).param()),
        (3, account.inmail_cap_today.param()),
        (4, account.ramp_days.param()),
        (6, account.cooldown_until.param()),
        (8, account.breaker.cleared_at.param()),
    ];
    let of_actions = (0..ACTIONS).flat_map(move |i| {
        [
            (BY_ACTION + i, account.sent_today[i].param()),
            (BY_ACTION + ACTIONS + i, account.attempts_today[i].param()),
            (BY_ACTION + 2 * ACTIONS + i, account.last_granted_at[i].param()),
        ]
    });
    single.into_iter().chain(of_actions)
}
