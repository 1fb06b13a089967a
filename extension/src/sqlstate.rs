//! The SQLSTATE that an error really has.
//!
//! pgrx knows PostgreSQL's own and reads every other as `XX000`. But what an application's trigger
//! raises on our tables, and what our own functions raise when that trigger calls them, has to reach
//! the caller as it is: a worker asks again after `SG301`, and gives up after `XX000`.

use std::cell::Cell;
use std::ffi::{c_int, c_void};

use pgrx::pg_sys::panic::ErrorReportWithLevel;
use pgrx::{PgSqlErrorCode, pg_sys};

/// Classes of what is not an error: success, warnings, no data.
const NO_ERRORS: [&str; 3] = ["00", "01", "02"];

unsafe extern "C-unwind" {
    fn geterrcode() -> c_int;
}

/// The SQLSTATE that PostgreSQL reported last, packed.
struct Latest(Cell<c_int>);

// A backend has one thread.
unsafe impl Sync for Latest {}

static LATEST: Latest = Latest(Cell::new(0));

/// Does `work` and notes the SQLSTATE of whatever PostgreSQL reports meanwhile.
pub fn noting<T>(work: impl FnOnce() -> T) -> T {
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

unsafe extern "C-unwind" fn note(_arg: *mut c_void) {
    LATEST.0.set(unsafe { geterrcode() });
}

/// The SQLSTATE of an error that was caught below [`noting`], packed, if pgrx does not know it.
///
/// What PL/pgSQL raises anew with a bare `RAISE`, after its handler met another error, is taken for
/// the latter.
pub fn unknown_to_pgrx(report: &ErrorReportWithLevel) -> Option<c_int> {
    let latest = LATEST.0.get();
    let known = report.sql_error_code() != PgSqlErrorCode::ERRCODE_INTERNAL_ERROR
        || PgSqlErrorCode::from(latest) != PgSqlErrorCode::ERRCODE_INTERNAL_ERROR
        || latest == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR as c_int
        || NO_ERRORS.contains(&&decode(latest)[..2]);
    (!known).then_some(latest)
}

/// PostgreSQL's packing of an SQLSTATE: six bits a character.
pub fn encode(sqlstate: &[u8; 5]) -> c_int {
    sqlstate
        .iter()
        .enumerate()
        .map(|(i, byte)| c_int::from((byte.wrapping_sub(b'0')) & 0x3F) << (6 * i))
        .sum()
}

/// The five characters of a packed SQLSTATE.
pub fn decode(packed: c_int) -> String {
    (0..5).map(|i| char::from(((packed >> (6 * i)) & 0x3F) as u8 + b'0')).collect()
}
