//! The settings: GUCs that only a superuser or the configuration file can change.
//!
//! The C variables are the truth; `current_setting()` would also believe a placeholder that an
//! ordinary user set before the library was loaded.

mod failures;
mod modes;

pub use failures::{late_delivery, limits, outage_accounts};
pub use modes::{InTransaction, copy_check, enforcement, in_transaction};

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use pgrx::pg_sys;
use sendgate_decision::clock::{Instant, SECOND};
use sendgate_decision::literal;
use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};

/// Longest that an operation may stay in flight: a week. Anything longer is a forgotten one.
const OPERATION_TTL_SECONDS_MAX: i32 = 7 * 86_400;

/// Longest prospect cooldown or rate-limit cooldown: a year.
const COOLDOWN_SECONDS_MAX: i32 = 366 * 86_400;

/// Longest first wait before an attempt is repeated: a week; doubled four times it is most of a year.
const RETRY_BACKOFF_SECONDS_MAX: i32 = 7 * 86_400;

/// Longest time over which deferred work is spread when a breaker clears: a credit period.
const RELEASE_SPREAD_SECONDS_MAX: i32 = 31 * 86_400;

/// Shortest time that old rows are kept, in days: a week and the longest credit period are inside it.
pub const KEEP_DAYS_MIN: i32 = 32;

const KEEP_SECONDS_MIN: i32 = KEEP_DAYS_MIN * 86_400;

/// Longest that old rows are kept: twenty years.
const KEEP_SECONDS_MAX: i32 = 20 * 366 * 86_400;

/// Longest wait for a held row: ten minutes; a worker that waits longer is better refused.
const LOCK_TIMEOUT_MS_MAX: i32 = 600_000;

/// Farthest the test clock may run from the real one: fifty years.
const CLOCK_OFFSET_MAX: i64 = 50 * 366 * 86_400 * SECOND;

static TEST_CLOCK: GucSetting<bool> = GucSetting::<bool>::new(false);

static OPERATION_TTL: GucSetting<i32> = GucSetting::<i32>::new(15 * 60);

static PROSPECT_COOLDOWN: GucSetting<i32> = GucSetting::<i32>::new(86_400);

static RATE_LIMIT_COOLDOWN: GucSetting<i32> = GucSetting::<i32>::new(3_600);

static RETRY_BACKOFF: GucSetting<i32> = GucSetting::<i32>::new(300);

static RELEASE_SPREAD: GucSetting<i32> = GucSetting::<i32>::new(0);

static KEEP: GucSetting<i32> = GucSetting::<i32>::new(90 * 86_400);

static KEEP_EVENTS: GucSetting<i32> = GucSetting::<i32>::new(400 * 86_400);

static LOCK_TIMEOUT: GucSetting<i32> = GucSetting::<i32>::new(5_000);

/// What the assign hooks of the two clock settings leave behind.
struct TestClock {
    frozen: Cell<Option<Instant>>,
    offset: Cell<i64>,
}
// A backend has one thread.
unsafe impl Sync for TestClock {}
static CLOCK: TestClock = TestClock { frozen: Cell::new(None), offset: Cell::new(0) };

static NOW_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static OFFSET_TEXT: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

static ACTOR: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));

/// The frozen instant of this session's test clock, if there is one.
pub(super) fn frozen_now() -> Option<Instant> {
    if TEST_CLOCK.get() { CLOCK.frozen.get() } else { None }
}

/// How far the test clock runs ahead of the real one, in microseconds.
pub(super) fn clock_offset() -> i64 {
    if TEST_CLOCK.get() { CLOCK.offset.get() } else { 0 }
}

/// The longest `sendgate.operation_ttl`, in microseconds.
pub const OPERATION_TTL_MAX: i64 = OPERATION_TTL_SECONDS_MAX as i64 * SECOND;

/// `sendgate.operation_ttl` in microseconds.
pub fn operation_ttl() -> i64 {
    i64::from(OPERATION_TTL.get()) * SECOND
}

/// `sendgate.prospect_cooldown` in microseconds.
pub fn prospect_cooldown() -> i64 {
    i64::from(PROSPECT_COOLDOWN.get()) * SECOND
}

/// `sendgate.rate_limit_cooldown` in microseconds.
pub fn rate_limit_cooldown() -> i64 {
    i64::from(RATE_LIMIT_COOLDOWN.get()) * SECOND
}

/// `sendgate.retry_backoff` in microseconds.
pub fn retry_backoff() -> i64 {
    i64::from(RETRY_BACKOFF.get()) * SECOND
}

/// `sendgate.release_spread` in microseconds.
pub fn release_spread() -> i64 {
    i64::from(RELEASE_SPREAD.get()) * SECOND
}

/// `sendgate.lock_timeout` in milliseconds.
pub(super) fn lock_timeout_ms() -> i32 {
    LOCK_TIMEOUT.get()
}

/// `sendgate.actor`, as the session claims it.
pub(super) fn claimed_actor() -> Option<String> {
    let text = ACTOR.get()?.to_string_lossy().into_owned();
    (!text.trim().is_empty()).then_some(text)
}

/// Defines every setting; called when the library is loaded.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"sendgate.test_clock",
        c"Whether sendgate.now and sendgate.clock_offset have an effect.",
        c"For tests only; settable only in the configuration file.",
        &TEST_CLOCK,
        GucContext::Sighup,
        GucFlags::default(),
    );
    define_seconds(
        c"sendgate.operation_ttl",
        c"Time that an operation has for its answer.",
        c"Afterwards it is expired: the worker must not send any more, and the slot is held until its day ends.",
        &OPERATION_TTL,
        1,
        OPERATION_TTL_SECONDS_MAX,
    );
    define_seconds(
        c"sendgate.prospect_cooldown",
        c"Least time between two sends of one action to one prospect.",
        c"Counts from the last operation that was not given back; 0 switches it off.",
        &PROSPECT_COOLDOWN,
        0,
        COOLDOWN_SECONDS_MAX,
    );
    define_seconds(
        c"sendgate.rate_limit_cooldown",
        c"How long an account cools down after a rate_limited answer without a retry_after.",
        c"",
        &RATE_LIMIT_COOLDOWN,
        1,
        COOLDOWN_SECONDS_MAX,
    );
    define_seconds(
        c"sendgate.retry_backoff",
        c"Wait before campaign work is attempted again; doubled with each attempt.",
        c"After a transient, rate_limited or released outcome; five attempts park the work.",
        &RETRY_BACKOFF,
        1,
        RETRY_BACKOFF_SECONDS_MAX,
    );
    define_seconds(
        c"sendgate.release_spread",
        c"Time over which an account's deferred InMails become due when its breaker clears.",
        c"0 makes all of them due at once; the caps hold either way.",
        &RELEASE_SPREAD,
        0,
        RELEASE_SPREAD_SECONDS_MAX,
    );
    define_seconds(
        c"sendgate.keep",
        c"Age at which the schedulers prune settled operations, logs, runs and finished work.",
        c"",
        &KEEP,
        KEEP_SECONDS_MIN,
        KEEP_SECONDS_MAX,
    );
    define_seconds(
        c"sendgate.keep_events",
        c"Age at which the schedulers prune proven deliveries.",
        c"",
        &KEEP_EVENTS,
        KEEP_SECONDS_MIN,
        KEEP_SECONDS_MAX,
    );
    GucRegistry::define_int_guc(
        c"sendgate.lock_timeout",
        c"Longest wait for an account that another transaction holds.",
        c"",
        &LOCK_TIMEOUT,
        1,
        LOCK_TIMEOUT_MS_MAX,
        GucContext::Suset,
        GucFlags::UNIT_MS,
    );
    failures::define();
    modes::define();
    GucRegistry::define_string_guc(
        c"sendgate.actor",
        c"On whose behalf a member of sendgate_daemon acts; ignored from other users.",
        c"",
        &ACTOR,
        GucContext::Userset,
        GucFlags::default(),
    );
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            c"sendgate.now",
            c"A frozen instant for this session; empty = off. Needs sendgate.test_clock.",
            c"",
            &NOW_TEXT,
            GucContext::Suset,
            GucFlags::default(),
            Some(check_now),
            Some(assign_now),
            None,
        );
        GucRegistry::define_string_guc_with_hooks(
            c"sendgate.clock_offset",
            c"How far the running test clock is ahead, such as '9 days'. Needs sendgate.test_clock.",
            c"",
            &OFFSET_TEXT,
            GucContext::Suset,
            GucFlags::default(),
            Some(check_offset),
            Some(assign_offset),
            None,
        );
        pg_sys::MarkGUCPrefixReserved(c"sendgate".as_ptr());
    }
}

fn define_seconds(
    name: &'static CStr,
    short: &'static CStr,
    long: &'static CStr,
    setting: &'static GucSetting<i32>,
    min: i32,
    max: i32,
) {
    GucRegistry::define_int_guc(name, short, long, setting, min, max, GucContext::Suset, GucFlags::UNIT_S);
}

/// Reads a setting's text; `Ok(None)` for an empty one.
unsafe fn read<T>(text: *const c_char, parse: fn(&str) -> Option<T>) -> Result<Option<T>, ()> {
    if text.is_null() {
        return Ok(None);
    }
    match unsafe { CStr::from_ptr(text) }.to_str() {
        Ok(text) if text.trim().is_empty() => Ok(None),
        Ok(text) => parse(text).map(Some).ok_or(()),
        Err(_) => Err(()),
    }
}

fn offset(text: &str) -> Option<i64> {
    literal::duration(text).filter(|micros| micros.abs() <= CLOCK_OFFSET_MAX)
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn check_now(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    let valid = unsafe { read(*value, literal::instant) }.is_ok();
    if !valid {
        hint("Write an instant as 2026-05-24 12:00:00+00, or an empty text to switch it off.");
    }
    valid
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn assign_now(value: *const c_char, _extra: *mut c_void) {
    CLOCK.frozen.set(unsafe { read(value, literal::instant) }.unwrap_or_default());
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn check_offset(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    let valid = unsafe { read(*value, offset) }.is_ok();
    if !valid {
        hint("Write a length of time of at most fifty years, such as '9 days', '-1h' or '90' (seconds).");
    }
    valid
}

#[pgrx::pg_guard]
unsafe extern "C-unwind" fn assign_offset(value: *const c_char, _extra: *mut c_void) {
    CLOCK.offset.set(unsafe { read(value, offset) }.unwrap_or_default().unwrap_or_default());
}

/// Leaves a HINT for the error that PostgreSQL raises about a refused setting.
fn hint(text: &str) {
    let Ok(text) = CString::new(text) else {
        return;
    };
    unsafe {
        GUC_check_errhint_string = pg_sys::pstrdup(text.as_ptr());
    }
}

unsafe extern "C" {
    static mut GUC_check_errhint_string: *mut c_char;
}
