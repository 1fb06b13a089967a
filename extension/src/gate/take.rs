//! Taking a slot: the account and the journal in one statement.
//!
//! Nearly every grant changes two counters, the time of the last one, the cap that the audit goes by, an
//! InMail's also the credits left where a balance is known, and nothing else. That has a statement of its own, one
//! for each action; setting up one that writes every column costs more than the write. Any other grant, the first
//! of a day for instance, takes two statements.

use crate::postgres::commit;
use crate::postgres::error::Result;
use crate::postgres::param::{Xid, params, types};
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::accounts::held::Held;
use crate::tables::accounts::{self, AccountRow};
use crate::tables::activity::{self, Activity};
use crate::tables::journal::{self, NewOperation};
use pgrx::pg_sys;
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{ACTIONS, Action};

const TAKE_TYPES: &[pg_sys::Oid] =
    types![text, int8, xid, int4, int4, instant, uuid, instant, date, text, text, int4, int8];
const TAKE_COUNTED_TYPES: &[pg_sys::Oid] =
    types![text, int8, xid, int4, int4, instant, uuid, instant, date, text, text, int4, int8, int4];

/// A statement that takes a slot of one action, where the account is still the version that was
/// decided on.
macro_rules! take {
    ($action:literal, $today:literal, $attempts:literal, $last:literal, $types:expr) => {
        Statement::new(
            concat!(
                "WITH taken AS (
                     UPDATE sendgate.accounts a
                     SET version = $13, ",
                $today,
                " = $4, ",
                $attempts,
                " = $5, ",
                $last,
                " = $6
                     WHERE a.id OPERATOR(pg_catalog.=) $1 AND a.version OPERATOR(pg_catalog.=) $2
                       AND a.xmin OPERATOR(pg_catalog.=) $3
                     RETURNING a.id
                 )
                 INSERT INTO sendgate.send_operations (operation_id, reserved_at, expires_at, counted_on,
                     account_id, prospect_id, action, campaign_id)
                 SELECT $7, $6, $8, $9, t.id, $10, '",
                $action,
                "', $11 FROM taken t"
            ),
            $types,
        )
    };
}

static TAKE: [Statement; ACTIONS] = [
    take!(
        "inmail",
        "inmail_cap_today = $12, inmails_sent_today",
        "inmail_attempts_today",
        "inmail_last_at",
        TAKE_TYPES
    ),
    take!("invite", "invites_sent_today", "invite_attempts_today", "invite_last_at", TAKE_TYPES),
    take!("message", "messages_sent_today", "message_attempts_today", "message_last_at", TAKE_TYPES),
    take!(
        "profile_view",
        "profile_views_sent_today",
        "profile_view_attempts_today",
        "profile_view_last_at",
        TAKE_TYPES
    ),
    take!(
        "engagement",
        "engagements_sent_today",
        "engagement_attempts_today",
        "engagement_last_at",
        TAKE_TYPES
    ),
];

/// An InMail of an account whose balance is known. No trigger watches the column, so none is fired.
static TAKE_COUNTED: Statement = take!(
    "inmail",
    "inmail_cap_today = $12, credits_left = $14, inmails_sent_today",
    "inmail_attempts_today",
    "inmail_last_at",
    TAKE_COUNTED_TYPES
);

/// Takes the slot as decided: writes the account as it is to be `after`, and the operation. The write holds
/// the account. None, and nothing is written, when the row is no longer the version that was `seen`.
///
/// # Errors
/// `SG301` when another session holds the account for too long.
pub fn take<'a>(
    spi: &'a Spi,
    seen: &AccountRow,
    after: &Account,
    new: &NewOperation<'a>,
) -> Result<Option<Held<'a>>> {
    if new.beyond_credits || *after != counted(&seen.account, after, new.action, new.reserved_at) {
        let written = accounts::write(spi, new.account, seen.version, after)?;
        match written {
            Some(held) => journal::insert(spi, held, new),
            None => check_left_out(new.account, seen)?,
        }
        return Ok(written);
    }
    commit::synchronously();
    let i = new.action.index();
    let all = params![
        new.account,
        seen.version.count(),
        Xid(seen.version.transaction()),
        after.sent_today[i],
        after.attempts_today[i],
        new.reserved_at,
        new.id,
        new.expires_at,
        new.counted_on,
        new.prospect,
        new.campaign,
        after.inmail_cap_today,
        seen.version.count() + 1,
        after.credits.map(|credits| credits.left)
    ];
    let written = match after.credits.filter(|_| new.action == Action::Inmail) {
        Some(_) => spi.run_waiting(&TAKE_COUNTED, all),
        None => spi.run_waiting(&TAKE[i], &all[..TAKE_TYPES.len()]),
    }?;
    let held = Held::by_write(new.account, written.count());
    if held.is_none() {
        check_left_out(new.account, seen)?;
    } else {
        activity::count(Activity::Grant(new.action));
    }
    Ok(held)
}

/// Passes a write that found the account moved on. Where it did not move, or moved by this write alone, a row
/// was left out.
fn check_left_out(account: &str, seen: &AccountRow) -> Result<()> {
    let now = accounts::read(account)?.version;
    if now == seen.version {
        dropped("accounts", 1, 0);
    }
    let own = unsafe { pg_sys::TransactionIdIsCurrentTransactionId(now.transaction().into()) };
    if own && now.count() == seen.version.count() + 1 {
        dropped("send_operations", 1, 0);
    }
    Ok(())
}

/// The account as the one statement leaves it: only the columns that it writes differ from `before`.
fn counted(before: &Account, after: &Account, action: Action, at: Instant) -> Account {
    let i = action.index();
    let mut account = before.clone();
    account.sent_today[i] = after.sent_today[i];
    account.attempts_today[i] = after.attempts_today[i];
    account.last_granted_at[i] = Some(at);
    if action == Action::Inmail {
        account.inmail_cap_today = after.inmail_cap_today;
        if let (Some(credits), Some(after)) = (&mut account.credits, after.credits) {
            credits.left = after.left;
        }
    }
    account
}
