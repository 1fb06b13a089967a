//! Several accounts in one statement: hold them, write them.

use crate::postgres::commit;
use crate::postgres::error::Result;
use crate::postgres::param::{Element, Param, array, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement};
use crate::tables::accounts::credits::cause_columns;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::{AccountRow, account_columns, packed, read_columns};
use sendgate_decision::account::Account;
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::Credits;
use sendgate_decision::names::ACTIONS;
use std::collections::HashSet;

/// Holds accounts by ascending id, the one lock order. The argument is the locking clause.
macro_rules! hold {
    ($lock:literal) => {
        Statement::new(
            concat!(
                "SELECT ",
                account_columns!(),
                ", a.id FROM sendgate.accounts a
                  WHERE a.id OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[])
                  ORDER BY a.id ",
                $lock
            ),
            types![texts],
        )
    };
}

static HOLD: Statement = hold!("FOR NO KEY UPDATE");

static HOLD_FREE: Statement = hold!("FOR NO KEY UPDATE SKIP LOCKED");

/// The same columns as the statement for one account. No version is compared: the rows are held. The arguments
/// are what the columns of known credits become, their arrays, the names of these, and their types.
macro_rules! write {
    ($credits:literal, $arrays:literal, $names:literal, $types:expr) => {
        Statement::new(
            concat!(
                "UPDATE sendgate.accounts a
     SET version = a.version OPERATOR(pg_catalog.+) 1, status = u.status, day = u.day, sent_before = u.before,
         inmails_sent_today = u.d1, invites_sent_today = u.d2, messages_sent_today = u.d3,
         profile_views_sent_today = u.d4, engagements_sent_today = u.d5,
         inmail_attempts_today = u.a1, invite_attempts_today = u.a2, message_attempts_today = u.a3,
         profile_view_attempts_today = u.a4, engagement_attempts_today = u.a5,
         inmail_cap_today = u.cap, ramp_days = u.ramp,
         inmail_last_at = u.l1, invite_last_at = u.l2, message_last_at = u.l3,
         profile_view_last_at = u.l4, engagement_last_at = u.l5,
         cooldown_until = u.cooldown, breaker_mode = u.mode, inmail_credits_exhausted_at = u.exhausted,
         breaker_cleared_at = u.cleared, probe_lease_until = u.lease, probe_operation_id = u.probe,
         failures = u.failures::pg_catalog.jsonb, ",
                $credits,
                " FROM unnest(
         $1::pg_catalog.text[], $2::pg_catalog.text[], $3::pg_catalog.date[], $4::pg_catalog.bytea[],
         $5::pg_catalog.int4[], $6::pg_catalog.int4[], $7::pg_catalog.int4[], $8::pg_catalog.int4[],
         $9::pg_catalog.int4[], $10::pg_catalog.int4[], $11::pg_catalog.int4[], $12::pg_catalog.int4[],
         $13::pg_catalog.int4[], $14::pg_catalog.int4[], $15::pg_catalog.int4[], $16::pg_catalog.int4[],
         $17::pg_catalog.timestamptz[], $18::pg_catalog.timestamptz[], $19::pg_catalog.timestamptz[],
         $20::pg_catalog.timestamptz[], $21::pg_catalog.timestamptz[], $22::pg_catalog.timestamptz[],
         $23::pg_catalog.text[], $24::pg_catalog.timestamptz[], $25::pg_catalog.timestamptz[],
         $26::pg_catalog.timestamptz[], $27::pg_catalog.uuid[], $28::pg_catalog.text[]",
                $arrays,
                ") AS u (id, status, day, before, d1, d2, d3, d4, d5, a1, a2, a3, a4, a5, cap, ramp, l1, l2, l3, l4, l5,
               cooldown, mode, exhausted, cleared, lease, probe, failures",
                $names,
                ") WHERE a.id OPERATOR(pg_catalog.=) u.id"
            ),
            $types,
        )
    };
}

static WRITE: Statement = write!(
    "credits_left = u.c_left, credits_base = u.c_base, credits_since = u.c_since,
     credits_observed_at = u.c_observed, credits_spent_at = u.c_spent, inmail_credits_stamp = u.stamp,
     inmail_credits_above = u.above",
    ", $29::pg_catalog.int4[], $30::pg_catalog.int4[], $31::pg_catalog.timestamptz[],
     $32::pg_catalog.timestamptz[], $33::pg_catalog.timestamptz[], $34::pg_catalog.text[],
     $35::pg_catalog.int4[]",
    ", c_left, c_base, c_since, c_observed, c_spent, stamp, above",
    types![
        texts, texts, dates, bytes_many, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s,
        int4s, int4s, int4s, instants, instants, instants, instants, instants, instants, texts, instants,
        instants, instants, uuids, texts, int4s, int4s, instants, instants, instants, texts, int4s
    ]
);

/// For batches without any balance or stamp: seven arrays less, which cost as much as the others.
static WRITE_WITHOUT_CREDITS: Statement = write!(
    "credits_left = NULL, credits_base = NULL, credits_since = NULL, credits_observed_at = NULL,
     credits_spent_at = NULL, inmail_credits_stamp = NULL, inmail_credits_above = NULL",
    "",
    "",
    types![
        texts, texts, dates, bytes_many, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s,
        int4s, int4s, int4s, instants, instants, instants, instants, instants, instants, texts, instants,
        instants, instants, uuids, texts
    ]
);

/// The same, with the turns of campaigns that share the accounts.
static WRITE_TURNS: Statement = write!(
    "credits_left = u.c_left, credits_base = u.c_base, credits_since = u.c_since,
     credits_observed_at = u.c_observed, credits_spent_at = u.c_spent, inmail_credits_stamp = u.stamp,
     inmail_credits_above = u.above, turns = u.turns::pg_catalog.jsonb",
    ", $29::pg_catalog.int4[], $30::pg_catalog.int4[], $31::pg_catalog.timestamptz[],
     $32::pg_catalog.timestamptz[], $33::pg_catalog.timestamptz[], $34::pg_catalog.text[],
     $35::pg_catalog.int4[], $36::pg_catalog.text[]",
    ", c_left, c_base, c_since, c_observed, c_spent, stamp, above, turns",
    types![
        texts, texts, dates, bytes_many, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s,
        int4s, int4s, int4s, instants, instants, instants, instants, instants, instants, texts, instants,
        instants, instants, uuids, texts, int4s, int4s, instants, instants, instants, texts, int4s, texts
    ]
);

/// And for accounts without credits, as above.
static WRITE_TURNS_WITHOUT_CREDITS: Statement = write!(
    "credits_left = NULL, credits_base = NULL, credits_since = NULL, credits_observed_at = NULL,
     credits_spent_at = NULL, inmail_credits_stamp = NULL, inmail_credits_above = NULL,
     turns = u.turns::pg_catalog.jsonb",
    ", $29::pg_catalog.text[]",
    ", turns",
    types![
        texts, texts, dates, bytes_many, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s, int4s,
        int4s, int4s, int4s, instants, instants, instants, instants, instants, instants, texts, instants,
        instants, instants, uuids, texts, texts
    ]
);

/// What to do about an account that another transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Wait for it, at most for `sendgate.lock_timeout`.
    Wait,
    /// Leave it out.
    Skip,
}

/// Holds those of these accounts that exist, by ascending id, and reads them as they are then.
///
/// # Errors
/// `SG301` when another session holds one of them for too long, unless such accounts are left out.
pub fn hold<'a>(
    spi: &'a Spi,
    ids: impl Iterator<Item = &'a str>,
    busy: Busy,
) -> Result<Vec<(Held<'a>, AccountRow)>> {
    let asked: HashSet<&'a str> = ids.collect();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let values = [array(Element::Text, asked.iter().copied())];
    let rows = match busy {
        Busy::Wait => spi.run_waiting(&HOLD, &values)?,
        Busy::Skip => spi.run(&HOLD_FREE, &values),
    };
    super::must_be_plain();
    let held = |mut columns: Row| {
        let row = read_columns(&mut columns);
        let id = asked.get(columns.value::<&str>()).copied()?;
        Some((Held::by_lock(id), row))
    };
    Ok(rows.iter().filter_map(held).collect())
}

/// Writes these accounts.
pub fn write(spi: &Spi, accounts: &[(Held<'_>, &Account)]) {
    write_all(spi, accounts, None);
}

/// The same, and for each of them the turns of the campaigns that share it, as [`super::turns::pack`] has them.
pub fn write_with_turns(spi: &Spi, accounts: &[(Held<'_>, &Account)], turns: &[Option<String>]) {
    write_all(spi, accounts, Some(turns));
}

fn write_all(spi: &Spi, accounts: &[(Held<'_>, &Account)], turns: Option<&[Option<String>]>) {
    if accounts.is_empty() {
        return;
    }
    commit::synchronously();
    let all = || accounts.iter().map(|(_, account)| *account);
    let instants = |of: &dyn Fn(&Account) -> Option<Instant>| array(Element::Timestamp, all().map(of));
    let numbers = |of: &dyn Fn(&Account) -> i32| array(Element::Int4, all().map(of));
    let mut values: Vec<Param> = vec![
        array(Element::Text, accounts.iter().map(|(held, _)| held.id())),
        array(Element::Text, all().map(|a| a.status.name())),
        array(Element::Date, all().map(|a| a.day)),
        array(Element::Bytes, all().map(|a| a.sent_before.as_ref().map(packed::pack_days))),
    ];
    values.extend((0..ACTIONS).map(|i| numbers(&|a| a.sent_today[i])));
    values.extend((0..ACTIONS).map(|i| numbers(&|a| a.attempts_today[i])));
    values.push(numbers(&|a| a.inmail_cap_today));
    values.push(numbers(&|a| a.ramp_days));
    values.extend((0..ACTIONS).map(|i| instants(&|a| a.last_granted_at[i])));
    values.push(instants(&|a| a.cooldown_until));
    values.push(array(Element::Text, all().map(|a| a.breaker.mode.name())));
    values.push(instants(&|a| a.breaker.exhausted_at));
    values.push(instants(&|a| a.breaker.cleared_at));
    values.push(instants(&|a| a.breaker.probe.as_ref().map(|probe| probe.lease_until)));
    values.push(array(Element::Uuid, all().map(|a| a.breaker.probe.as_ref().and_then(|p| p.taken_by))));
    values.push(array(Element::Text, all().map(packed::pack_failures)));
    let counted = |account: &Account| account.credits.is_some() || account.breaker.exhausted_at.is_some();
    let is_counted = all().any(counted);
    if is_counted {
        values.extend(credits(accounts));
    }
    if let Some(turns) = turns {
        values.push(array(Element::Text, turns.iter().map(Option::as_deref)));
    }
    let statement = match (is_counted, turns.is_some()) {
        (true, false) => &WRITE,
        (false, false) => &WRITE_WITHOUT_CREDITS,
        (true, true) => &WRITE_TURNS,
        (false, true) => &WRITE_TURNS_WITHOUT_CREDITS,
    };
    let written = spi.run(statement, &values);
    // dispatch comes to them by statements alone.
    super::must_be_plain();
    written.must_be(accounts.len(), "accounts");
}

/// The columns of known credits, and who stamped the breakers.
fn credits(accounts: &[(Held<'_>, &Account)]) -> [Param; 7] {
    let known = |of: &dyn Fn(&Credits) -> Option<i32>| {
        array(Element::Int4, accounts.iter().map(|(_, account)| account.credits.as_ref().and_then(of)))
    };
    let instants = |of: &dyn Fn(&Credits) -> Option<Instant>| {
        array(Element::Timestamp, accounts.iter().map(|(_, account)| account.credits.as_ref().and_then(of)))
    };
    let causes = || accounts.iter().map(|(_, account)| cause_columns(&account.breaker));
    [
        known(&|c| Some(c.left)),
        known(&|c| Some(c.base)),
        instants(&|c| Some(c.since)),
        instants(&|c| Some(c.observed_at)),
        instants(&|c| c.spent_at),
        array(Element::Text, causes().map(|(stamp, _)| stamp)),
        array(Element::Int4, causes().map(|(_, above)| above)),
    ]
}
