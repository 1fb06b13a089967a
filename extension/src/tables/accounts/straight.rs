//! Accounts that are held, written where they lie (`postgres/table_write.rs`): what grants change.

use crate::postgres::commit;
use crate::postgres::jsonb;
use crate::postgres::param::{IntoParam, Param};
use crate::postgres::row::Place;
use crate::postgres::table_write::Table;
use crate::tables::accounts::credits::cause_columns;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::packed;
use crate::tables::accounts::sound::permit_is_sound;
use crate::tables::accounts::turns::{self, AllTurns};
use pgrx::pg_sys::{BYTEAOID, DATEOID, INT4OID, INT8OID, JSONBOID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use sendgate_decision::account::Account;
use sendgate_decision::names::ACTIONS;

static ACCOUNTS: Table = Table::changed(
    c"accounts",
    &[
        ("version", INT8OID),
        ("day", DATEOID),
        ("sent_before", BYTEAOID),
        ("inmail_cap_today", INT4OID),
        ("ramp_days", INT4OID),
        ("status", TEXTOID),
        ("cooldown_until", TIMESTAMPTZOID),
        ("breaker_mode", TEXTOID),
        ("breaker_cleared_at", TIMESTAMPTZOID),
        ("turns", JSONBOID),
        ("inmails_sent_today", INT4OID),
        ("invites_sent_today", INT4OID),
        ("messages_sent_today", INT4OID),
        ("profile_views_sent_today", INT4OID),
        ("engagements_sent_today", INT4OID),
        ("inmail_attempts_today", INT4OID),
        ("invite_attempts_today", INT4OID),
        ("message_attempts_today", INT4OID),
        ("profile_view_attempts_today", INT4OID),
        ("engagement_attempts_today", INT4OID),
        ("inmail_last_at", TIMESTAMPTZOID),
        ("invite_last_at", TIMESTAMPTZOID),
        ("message_last_at", TIMESTAMPTZOID),
        ("profile_view_last_at", TIMESTAMPTZOID),
        ("engagement_last_at", TIMESTAMPTZOID),
        ("inmail_credits_exhausted_at", TIMESTAMPTZOID),
        ("probe_lease_until", TIMESTAMPTZOID),
        ("probe_operation_id", UUIDOID),
        ("credits_left", INT4OID),
        ("credits_base", INT4OID),
        ("credits_since", TIMESTAMPTZOID),
        ("credits_observed_at", TIMESTAMPTZOID),
        ("credits_spent_at", TIMESTAMPTZOID),
        ("inmail_credits_above", INT4OID),
        ("inmail_credits_stamp", TEXTOID),
        ("failures", JSONBOID),
    ],
    &[],
)
.keeping(&[c"account_is_sound"]);

const VERSION: usize = 0;
const STATUS: usize = 5;
const MODE: usize = 7;
const TURNS: usize = 9;
/// The first of those that each action has.
const BY_ACTION: usize = 10;
/// The first of credits, stamp and permit.
const CREDITS: usize = 25;
const STAMP: usize = 34;
const FAILURES: usize = 35;

/// What an account becomes that is held.
pub struct Change<'a> {
    /// Where its row lies, which is held there.
    pub at: Place,
    /// As it was read.
    pub before: &'a Account,
    /// As it is to be.
    pub after: &'a Account,
    /// Whose turn it is between campaigns; none where that does not change.
    pub turns: Option<&'a AllTurns>,
}

/// Whether the domains of counts and the trigger `account_is_sound` let an account pass. The window stays as it is, and the
/// parts of a balance and of a permit are one value each.
fn is_sound(account: &Account) -> bool {
    let (probe, stamp) = (account.breaker.probe.as_ref(), account.breaker.exhausted_at);
    let is_taken = probe.is_some_and(|probe| probe.taken_by.is_some());
    let single = [account.inmail_cap_today, account.ramp_days];
    let mut counts = account.sent_today.iter().chain(&account.attempts_today).chain(&single);
    permit_is_sound(probe.is_some(), is_taken, stamp.is_some()) && counts.all(|&count| count >= 0)
}

/// Writes these accounts. Those that it leaves to a statement are returned, by their place in the list.
pub fn write(accounts: &[(Held<'_>, Change<'_>)]) -> Vec<usize> {
    let all = || (0..accounts.len()).collect();
    if accounts.is_empty() {
        return Vec::new();
    }
    if !accounts.iter().all(|(_, change)| is_sound(change.after)) {
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
        // Past the last one a statement says what is wrong.
        let Some(next) = version.checked_add(1) else {
            left.push(i);
            continue;
        };
        table.set(VERSION, next.param());
        for (column, value) in columns(change.after) {
            table.set(column, value);
        }
        if change.before.status != change.after.status {
            table.set(STATUS, change.after.status.name().param());
        }
        if change.before.breaker.mode != change.after.breaker.mode {
            table.set(MODE, change.after.breaker.mode.name().param());
        }
        table.set(STAMP, cause_columns(&change.after.breaker).0.param());
        let failures = |account: &Account| (account.failures, account.action_cooldown_until);
        if failures(change.before) != failures(change.after) {
            let failures = packed::pack_failures(change.after);
            table.set(FAILURES, failures.and_then(|failures| jsonb::of_text(&failures)));
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
    let (breaker, credits) = (&account.breaker, account.credits);
    let of_credits = [
        breaker.exhausted_at.param(),
        breaker.probe.as_ref().map(|probe| probe.lease_until).param(),
        breaker.probe.as_ref().and_then(|probe| probe.taken_by).param(),
        credits.map(|credits| credits.left).param(),
        credits.map(|credits| credits.base).param(),
        credits.map(|credits| credits.since).param(),
        credits.map(|credits| credits.observed_at).param(),
        credits.and_then(|credits| credits.spent_at).param(),
        cause_columns(breaker).1.param(),
    ];
    let of_credits = of_credits.into_iter().enumerate().map(|(i, value)| (CREDITS + i, value));
    single.into_iter().chain(of_actions).chain(of_credits)
}
