//! The account row: hold it, read it, write it.
//!
//! A write names the version that it was decided on, and fails if another session wrote the row first. So a
//! decision may be made before the row is held, and still be about the row as it is.

pub mod credits;
pub mod held;
pub mod many;
pub mod packed;
pub mod sound;
pub mod straight;
pub mod turns;

use crate::postgres::clock;
use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::shown;
use crate::postgres::gucs;
use crate::postgres::index_scan::{self, Lookup, key};
use crate::postgres::param::{Xid, params, types};
use crate::postgres::row::Row;
use crate::postgres::statement::{Spi, Statement, dropped};
use crate::tables::accounts::held::Held;
use pgrx::JsonB;
use pgrx::datum::Interval;
use sendgate_decision::account::{Account, CapOverride, Pace};
use sendgate_decision::breaker::{Breaker, Probe};
use sendgate_decision::clock::{DAY, Instant};
use sendgate_decision::failures::Failures;
use sendgate_decision::names::{ACTIONS, BreakerMode, Enforcement, Status};
use sendgate_decision::window::Window;

/// The columns that [`read`] expects, of an account named `a`.
macro_rules! account_columns {
    () => {
        "a.xmin, a.version, a.tier, a.time_zone, a.status, a.day,
         a.inmails_sent_today, a.invites_sent_today, a.messages_sent_today,
         a.profile_views_sent_today, a.engagements_sent_today,
         a.inmail_attempts_today, a.invite_attempts_today, a.message_attempts_today,
         a.profile_view_attempts_today, a.engagement_attempts_today, a.sent_before,
         a.inmail_cap_today, a.ramp, a.ramp_days,
         a.inmail_last_at, a.invite_last_at, a.message_last_at, a.profile_view_last_at,
         a.engagement_last_at,
         a.inmail_daily_cap, a.invite_daily_cap, a.message_daily_cap, a.profile_view_daily_cap,
         a.engagement_daily_cap,
         a.inmail_weekly_cap, a.invite_weekly_cap, a.message_weekly_cap, a.profile_view_weekly_cap,
         a.engagement_weekly_cap,
         a.cooldown_until, a.credit_reset_day, a.breaker_mode, a.inmail_credits_exhausted_at,
         a.breaker_cleared_at, a.probe_lease_until, a.probe_operation_id,
         a.window_start, a.window_end, a.window_days,
         a.failures, a.pace_gap, a.pace_jitter_percent, a.pace_spread, a.enforcement,
         a.credits_left, a.credits_base, a.credits_since, a.credits_observed_at, a.credits_spent_at,
         a.credit_reset_changed_at, a.inmail_credits_stamp, a.inmail_credits_above"
    };
}
pub(crate) use account_columns;

/// The account by its id.
pub static ACCOUNT: Lookup = Lookup::new(c"accounts", &[key::text(c"id")], account_columns!());

static WRITE: Statement = Statement::new(
    "UPDATE sendgate.accounts a
     SET version = $2 OPERATOR(pg_catalog.+) 1, status = $3, day = $4, sent_before = $5,
         inmails_sent_today = $6, invites_sent_today = $7, messages_sent_today = $8,
         profile_views_sent_today = $9, engagements_sent_today = $10,
         inmail_attempts_today = $11, invite_attempts_today = $12, message_attempts_today = $13,
         profile_view_attempts_today = $14, engagement_attempts_today = $15,
         inmail_cap_today = $16, ramp_days = $17,
         inmail_last_at = $18, invite_last_at = $19, message_last_at = $20,
         profile_view_last_at = $21, engagement_last_at = $22,
         cooldown_until = $23, breaker_mode = $24, inmail_credits_exhausted_at = $25,
         breaker_cleared_at = $26, probe_lease_until = $27, probe_operation_id = $28,
         failures = $30::pg_catalog.jsonb, credits_left = $31, credits_base = $32, credits_since = $33,
         credits_observed_at = $34, credits_spent_at = $35, inmail_credits_stamp = $36,
         inmail_credits_above = $37
     WHERE a.id OPERATOR(pg_catalog.=) $1 AND a.version OPERATOR(pg_catalog.=) $2
       AND a.xmin OPERATOR(pg_catalog.=) $29",
    types![
        text, int8, text, date, bytes, int4, int4, int4, int4, int4, int4, int4, int4, int4, int4, int4,
        int4, instant, instant, instant, instant, instant, instant, text, instant, instant, instant, uuid,
        xid, text, int4, int4, instant, instant, instant, text, int4
    ],
);

/// Which write of a row it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    transaction: u32,
    count: i64,
}

impl Version {
    /// Which transaction wrote it.
    pub fn transaction(self) -> u32 {
        self.transaction
    }

    /// How often the row had been written.
    pub fn count(self) -> i64 {
        self.count
    }
}

/// An account as it was read.
#[derive(Clone, Debug)]
pub struct AccountRow {
    /// Which write of the row this is. Every verb counts the version up. The transaction reveals a change
    /// past the verbs, such as a DBA's emergency stop, which a decision on the earlier row must not
    /// overwrite.
    pub version: Version,
    /// The account's tier.
    pub tier: String,
    /// The account's IANA time zone.
    pub time_zone: String,
    /// The account's own enforcement; none = the setting `sendgate.enforcement`.
    pub enforcement: Option<Enforcement>,
    /// What the rules work on.
    pub account: Account,
}

impl AccountRow {
    /// Whether the rules refuse on this account, or are only observed.
    pub fn enforcement(&self) -> Enforcement {
        self.enforcement.unwrap_or_else(gucs::enforcement)
    }
}

/// Reads [`account_columns`] from a row.
pub fn read_columns(row: &mut Row) -> AccountRow {
    let version = read_version(row);
    let tier = row.value();
    let time_zone = row.value();
    let status = row.one_of(Status::parse);
    let day = row.day();
    let sent_today = [(); ACTIONS].map(|()| row.value());
    let attempts_today = [(); ACTIONS].map(|()| row.value());
    // Days that cannot be read are counted anew from the journal.
    let sent_before = row.nullable::<&[u8]>().and_then(packed::unpack_days);
    let (inmail_cap_today, ramp, ramp_days) = (row.value(), row.value(), row.value());
    let last_granted_at = [(); ACTIONS].map(|()| row.nullable_instant());
    let daily = [(); ACTIONS].map(|()| row.nullable());
    let weekly: [Option<i32>; ACTIONS] = [(); ACTIONS].map(|()| row.nullable());
    let cooldown_until = row.nullable_instant();
    let credit_reset_day = row.value::<i16>() as u8;
    let mut breaker = read_breaker(row);
    let (start, end, days) = (row.nullable::<i64>(), row.nullable::<i64>(), row.nullable::<i16>());
    let window = start.zip(end).zip(days).and_then(|((s, e), d)| Window::new(s, e, d as u8).ok());
    let (failures, action_cooldown_until) = read_failures(row);
    let pace = read_pace(row);
    let enforcement = row.nullable::<&str>().and_then(Enforcement::parse);
    let credits = credits::read(row);
    let credit_reset_changed_at = row.nullable_instant();
    breaker.cause = credits::read_cause(row);
    let mut caps = [CapOverride::default(); ACTIONS];
    for (i, cap) in caps.iter_mut().enumerate() {
        *cap = CapOverride { daily: daily[i], weekly: weekly[i] };
    }
    let account = Account {
        status,
        day,
        sent_today,
        sent_before,
        attempts_today,
        inmail_cap_today,
        ramp,
        ramp_days,
        last_granted_at,
        caps,
        cooldown_until,
        action_cooldown_until,
        failures,
        pace,
        credit_reset_day,
        breaker,
        window,
        credits,
        credit_reset_changed_at,
    };
    AccountRow { version, tier, time_zone, enforcement, account }
}

/// Reads `xmin` and `version` from a row.
fn read_version(row: &mut Row) -> Version {
    Version { transaction: row.transaction(), count: row.value() }
}

fn read_breaker(row: &mut Row) -> Breaker {
    let mode = row.one_of(BreakerMode::parse);
    let (exhausted_at, cleared_at) = (row.nullable_instant(), row.nullable_instant());
    let (lease_until, taken_by) = (row.nullable_instant(), row.nullable_uuid());
    let probe = lease_until.map(|lease_until| Probe { lease_until, taken_by });
    Breaker { mode, exhausted_at, cleared_at, probe, ..Breaker::default() }
}

/// Failures in a row and cooldowns of single actions. The table's CHECK lets nothing in that cannot be read.
fn read_failures(row: &mut Row) -> ([Failures; ACTIONS], [Option<Instant>; ACTIONS]) {
    let Some(JsonB(packed)) = row.nullable::<JsonB>() else {
        return Default::default();
    };
    packed::unpack_failures(&packed).unwrap_or_else(|| panic!("accounts.failures cannot be read: {packed}"))
}

fn read_pace(row: &mut Row) -> Pace {
    let gap = row.nullable::<Interval>().map(|gap| i64::from(gap.days()) * DAY + gap.micros());
    Pace {
        minimum_gap: gap.unwrap_or_default(),
        jitter_percent: row.nullable::<i16>().unwrap_or_default().into(),
        spread: row.nullable().unwrap_or_default(),
    }
}

/// The account as committed, without holding it.
pub fn read(id: &str) -> Result<AccountRow> {
    index_scan::now(&[&ACCOUNT], || read_now(id))
}

/// The same inside [`index_scan::now`] of [`ACCOUNT`], to be of one instant with what else is read there.
pub fn read_now(id: &str) -> Result<AccountRow> {
    ACCOUNT.one(params![id], read_columns).ok_or_else(|| unknown(id))
}

/// Holds the account until the transaction ends, and reads it as it is then. The lock excludes everything but
/// foreign-key checks, and no foreign key refers to the row; a weaker lock would not exclude other holders.
///
/// # Errors
/// `SG101` for an unknown account, `SG301` when another session holds it for too long.
pub fn hold(id: &str) -> Result<(Held<'_>, AccountRow)> {
    hold_if_there(id)?.ok_or_else(|| unknown(id))
}

/// The same for an account that may be gone.
///
/// # Errors
/// `SG301` when another session holds it for too long.
pub fn hold_if_there(id: &str) -> Result<Option<(Held<'_>, AccountRow)>> {
    Ok(ACCOUNT.hold(params![id], read_columns)?.map(|row| (Held::by_lock(id), row)))
}

/// Writes the account as decided on `version`, and holds it by that; none when the row is no longer that
/// version.
///
/// # Errors
/// `SG301` when another session holds the row for too long.
pub fn write<'a>(spi: &'a Spi, id: &'a str, version: Version, account: &Account) -> Result<Option<Held<'a>>> {
    commit::synchronously();
    let (today, attempts, last) = (account.sent_today, account.attempts_today, account.last_granted_at);
    let (breaker, credits) = (&account.breaker, account.credits);
    let (stamp, above) = credits::cause_columns(breaker);
    let written = spi.run_waiting(
        &WRITE,
        params![
            id,
            version.count,
            account.status.name(),
            account.day,
            account.sent_before.as_ref().map(packed::pack_days),
            today[0],
            today[1],
            today[2],
            today[3],
            today[4],
            attempts[0],
            attempts[1],
            attempts[2],
            attempts[3],
            attempts[4],
            account.inmail_cap_today,
            account.ramp_days,
            last[0],
            last[1],
            last[2],
            last[3],
            last[4],
            account.cooldown_until,
            breaker.mode.name(),
            breaker.exhausted_at,
            breaker.cleared_at,
            breaker.probe.as_ref().map(|probe| probe.lease_until),
            breaker.probe.as_ref().and_then(|probe| probe.taken_by),
            Xid(version.transaction),
            packed::pack_failures(account).as_deref(),
            credits.map(|c| c.left),
            credits.map(|c| c.base),
            credits.map(|c| c.since),
            credits.map(|c| c.observed_at),
            credits.and_then(|c| c.spent_at),
            stamp,
            above
        ],
    )?;
    Ok(Held::by_write(id, written.count()))
}

/// Writes the account while it is held, so that no other session can have written it first.
pub fn write_held(spi: &Spi, held: Held<'_>, version: Version, account: &Account) -> Result<()> {
    if write(spi, held.id(), version, account)?.is_none() {
        dropped("accounts", 1, 0);
    }
    Ok(())
}

/// An account before and after an operator's change.
pub struct Changed<'a> {
    /// The account, which is held.
    pub held: Held<'a>,
    /// As it was, not rolled.
    pub before: Account,
    /// As it was written.
    pub after: Account,
    /// When it was decided.
    pub at: Instant,
}

/// Holds an account, rolls it, lets `apply` change it, and writes it.
///
/// # Errors
/// Those of [`hold`], and what `apply` refuses.
pub fn change<'a>(
    spi: &'a Spi,
    id: &'a str,
    apply: impl FnOnce(&mut Account, Instant) -> Result<()>,
) -> Result<Changed<'a>> {
    let (held, row) = hold(id)?;
    let at = clock::now();
    let mut after = row.account.rolled(at);
    apply(&mut after, at)?;
    write_held(spi, held, row.version, &after)?;
    Ok(Changed { held, before: row.account, after, at })
}

/// Raises an error where the table is not as the gate needs it, and an account may be missing for that reason.
pub fn must_be_plain() {
    ACCOUNT.must_be_plain();
}

/// The error for an account that does not exist.
pub fn unknown(id: &str) -> Error {
    must_be_plain();
    Error::new(
        Code::UnknownAccount,
        format!("unknown account: \"{}\"", shown(id)),
        "Every account must be provisioned before anything is sent through it.",
        "Call upsert_account(account_id, tier) first, or check the spelling in sendgate.linkedin_accounts.",
    )
}
