//! The settings about attempts, failures in a row and outages.

use crate::postgres::gucs::{define_seconds, hint};
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use sendgate_decision::clock::SECOND;
use sendgate_decision::failures::Limits;
use std::ffi::{CStr, c_void};

/// Most failures in a row that stop no action: beyond that the limit protects nothing.
const FAILURE_LIMIT_MAX: i32 = 10_000;

/// Longest first silence of an action that fails: a day; more failures make it no longer than that.
const FAILURE_COOLDOWN_SECONDS_MAX: i32 = 86_400;

/// Attempts a day in percent of the cap: fewer than the cap would refuse what the cap allows.
const ATTEMPT_PERCENT: (i32, i32) = (100, 10_000);

/// Longest time after its reservation that a send which was given back may turn out to be delivered: a month.
const LATE_DELIVERY_SECONDS_MAX: i32 = 31 * 86_400;

/// Most accounts that must fail together to be called an outage.
const OUTAGE_ACCOUNTS_MAX: i32 = 1_000_000;

static FAILURE_LIMIT: GucSetting<i32> = GucSetting::<i32>::new(10);

static FAILURE_COOLDOWN: GucSetting<i32> = GucSetting::<i32>::new(3_600);

static ATTEMPTS: GucSetting<i32> = GucSetting::<i32>::new(200);

static LATE_DELIVERY: GucSetting<i32> = GucSetting::<i32>::new(72 * 3_600);

static OUTAGE_ACCOUNTS: GucSetting<i32> = GucSetting::<i32>::new(5);

/// `sendgate.failure_limit`, `sendgate.failure_cooldown` and `sendgate.attempt_percent`.
pub fn limits() -> Limits {
    Limits {
        failure_limit: FAILURE_LIMIT.get(),
        failure_cooldown: i64::from(FAILURE_COOLDOWN.get()) * SECOND,
        attempt_percent: ATTEMPTS.get(),
    }
}

/// `sendgate.late_delivery` in microseconds.
pub fn late_delivery() -> i64 {
    i64::from(LATE_DELIVERY.get()) * SECOND
}

/// `sendgate.outage_accounts`.
pub fn outage_accounts() -> i32 {
    OUTAGE_ACCOUNTS.get()
}

/// The settings that stop an account which fails. Senders cannot change them.
pub(super) fn define() {
    define_number(
        c"sendgate.failure_limit",
        c"Failures in a row that stop an action of an account.",
        c"0 switches it off: then no failure counts, and no failing action refuses.",
        &FAILURE_LIMIT,
        (0, FAILURE_LIMIT_MAX),
    );
    define_seconds(
        c"sendgate.failure_cooldown",
        c"How long an action stops after that many failures.",
        c"Doubled with each attempt that fails afterwards, up to a day.",
        &FAILURE_COOLDOWN,
        1,
        FAILURE_COOLDOWN_SECONDS_MAX,
    );
    unsafe {
        // One range with a hole.
        GucRegistry::define_int_guc_with_hooks(
            c"sendgate.attempt_percent",
            c"Attempts of an action that an account may make a day, in percent of its effective cap.",
            c"0 switches it off, else 100 to 10000. A worker's own released gives an attempt back.",
            &ATTEMPTS,
            0,
            ATTEMPT_PERCENT.1,
            GucContext::Suset,
            GucFlags::default(),
            Some(check_attempt_percent),
            None,
            None,
        );
    }
    define_seconds(
        c"sendgate.late_delivery",
        c"How long after its reservation a send that was given back may turn out to be delivered.",
        c"For record_external_send; 0 switches it off.",
        &LATE_DELIVERY,
        0,
        LATE_DELIVERY_SECONDS_MAX,
    );
    define_number(
        c"sendgate.outage_accounts",
        c"Accounts that must be failing together for the alert provider_failing.",
        c"",
        &OUTAGE_ACCOUNTS,
        (1, OUTAGE_ACCOUNTS_MAX),
    );
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn check_attempt_percent(
    value: *mut std::ffi::c_int,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    let valid = unsafe { *value == 0 || *value >= ATTEMPT_PERCENT.0 };
    if !valid {
        hint("Pass 0 to switch it off, or 100 to 10000 percent: fewer would refuse what the cap allows.");
    }
    valid
}

fn define_number(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<i32>,
    (min, max): (i32, i32),
) {
    GucRegistry::define_int_guc(name, short, long, setting, min, max, GucContext::Suset, GucFlags::default());
}
