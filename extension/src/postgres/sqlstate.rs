//! The SQLSTATE that an error really has.
//!
//! pgrx knows PostgreSQL's own and reads every other as `XX000`. But what an application's trigger
//! raises on our tables, and what our own functions raise when that trigger calls them, has to reach
//! the caller as it is: a worker asks again after `SG301`, and gives up after `XX000`.

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReportWithLevel;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::{CStr, c_int, c_void};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Most errors that are kept: more than a handler catches before it re-raises its own.
const NOTED_MAX: usize = 16;

const INTERNAL_ERROR: c_int = PgSqlErrorCode::ERRCODE_INTERNAL_ERROR as c_int;

unsafe extern "C-unwind" {
    fn geterrcode() -> c_int;
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(error: *mut pg_sys::ErrorData);
}

thread_local! {
    /// The last errors that pgrx reads as `XX000`, newest first: the SQLSTATE, packed, and the message's
    /// hash. We keep several: a handler may catch other errors, or write messages, before it re-raises the
    /// first, and PostgreSQL does not report a re-raise.
    static NOTED: RefCell<VecDeque<(c_int, u64)>> = const { RefCell::new(VecDeque::new()) };
}

/// Does `work` and notes the SQLSTATEs of what PostgreSQL reports meanwhile.
pub(super) fn noting<T>(work: impl FnOnce() -> T) -> T {
    let mut callback = pg_sys::ErrorContextCallback {
        previous: unsafe { pg_sys::error_context_stack },
        callback: Some(note),
        arg: std::ptr::null_mut(),
    };
    let _popped = Popped(callback.previous);
    unsafe { pg_sys::error_context_stack = &raw mut callback };
    work()
}

/// Takes the callback off, however the work ends.
struct Popped(*mut pg_sys::ErrorContextCallback);

impl Drop for Popped {
    fn drop(&mut self) {
        unsafe { pg_sys::error_context_stack = self.0 };
    }
}

/// Called for every message too. PostgreSQL is in the middle of reporting: no more is asked of it than
/// has to be.
unsafe extern "C-unwind" fn note(_arg: *mut c_void) {
    let sqlstate = unsafe { geterrcode() };
    if PgSqlErrorCode::from(sqlstate) != PgSqlErrorCode::ERRCODE_INTERNAL_ERROR {
        return;
    }
    let message = unsafe {
        // A copy may not be made where PostgreSQL keeps its errors.
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let error = CopyErrorData();
        let message = (!(*error).message.is_null()).then(|| CStr::from_ptr((*error).message));
        let message = message.map_or(0, |message| hash(&message.to_string_lossy()));
        FreeErrorData(error);
        pg_sys::MemoryContextSwitchTo(before);
        message
    };
    NOTED.with_borrow_mut(|noted| {
        noted.truncate(NOTED_MAX - 1);
        noted.push_front((sqlstate, message));
    });
}

fn hash(message: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    message.hash(&mut hasher);
    hasher.finish()
}

/// The SQLSTATE of an error that was caught below [`noting`], packed, if pgrx does not know it.
pub(super) fn unknown_to_pgrx(report: &ErrorReportWithLevel) -> Option<c_int> {
    if report.sql_error_code() != PgSqlErrorCode::ERRCODE_INTERNAL_ERROR {
        return None;
    }
    let message = hash(report.message());
    let of_it = NOTED.with_borrow(|noted| noted.iter().find(|(_, its)| *its == message).copied());
    of_it.map(|(sqlstate, _)| sqlstate).filter(|sqlstate| *sqlstate != INTERNAL_ERROR)
}

/// PostgreSQL's packing of an SQLSTATE: six bits a character.
pub(super) fn encode(sqlstate: &[u8; 5]) -> c_int {
    sqlstate
        .iter()
        .enumerate()
        .map(|(i, byte)| c_int::from((byte.wrapping_sub(b'0')) & 0x3F) << (6 * i))
        .sum()
}

/// The five characters of a packed SQLSTATE.
pub(super) fn decode(packed: c_int) -> String {
    (0..5).map(|i| char::from(((packed >> (6 * i)) & 0x3F) as u8 + b'0')).collect()
}
