//! Lends `sendgate.lock_timeout` to a piece of work, in the variable where PostgreSQL looks for its own
//! `lock_timeout`: setting the parameter itself costs more than most look-ups.
//!
//! PostgreSQL does not know of the loan. When a trigger of the application sets `lock_timeout` during the work,
//! PostgreSQL notes the lent value as the one to go back to, and the session would keep it for good. So what it
//! noted meanwhile is corrected afterwards, and what the trigger set stays set.

#[cfg(not(feature = "pg15"))]
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;

const NAME: &CStr = c"lock_timeout";

thread_local! {
    static RECORD: Cell<*mut pg_sys::config_generic> = const { Cell::new(std::ptr::null_mut()) };
}

/// A loan. [`Lent::give_back`] ends it.
pub(super) struct Lent {
    own: i32,
    lent: i32,
    noted: *mut pg_sys::GucStack,
}

impl Lent {
    /// Lends this many milliseconds, or the session's own time-out where that is shorter.
    pub fn new(milliseconds: i32) -> Lent {
        unsafe {
            let own = pg_sys::LockTimeout;
            let lent = if own > 0 { own.min(milliseconds) } else { milliseconds };
            let noted = record().as_ref().map_or(std::ptr::null_mut(), |record| record.stack);
            pg_sys::LockTimeout = lent;
            Lent { own, lent, noted }
        }
    }

    /// The time-out that is lent, in milliseconds.
    pub fn milliseconds(&self) -> i32 {
        self.lent
    }

    /// Ends the loan; after an error as well, before PostgreSQL goes back to what it noted.
    pub fn give_back(self) {
        unsafe {
            let was_set = pg_sys::LockTimeout != self.lent;
            if let Some(record) = record().as_ref()
                && (was_set || record.stack != self.noted)
            {
                self.correct(record.stack);
            }
            if !was_set {
                pg_sys::LockTimeout = self.own;
            }
        }
    }

    /// Puts the session's own value in the place of the lent one wherever it was noted during the work. An
    /// earlier note may have got one more value: what a `SET LOCAL` hides.
    unsafe fn correct(&self, newest: *mut pg_sys::GucStack) {
        let mut note = newest;
        unsafe {
            while let Some(one) = note.as_mut() {
                let is_earlier = note == self.noted;
                if !is_earlier && one.prior.val.intval == self.lent {
                    one.prior.val.intval = self.own;
                }
                if one.state == pg_sys::GucStackState::GUC_SET_LOCAL && one.masked.val.intval == self.lent {
                    one.masked.val.intval = self.own;
                }
                if is_earlier {
                    return;
                }
                note = one.prev;
            }
        }
    }
}

/// What PostgreSQL knows of the parameter; it lies where it is as long as the backend lives.
fn record() -> *mut pg_sys::config_generic {
    if RECORD.get().is_null() {
        RECORD.set(unsafe { find() });
    }
    RECORD.get()
}

#[cfg(feature = "pg15")]
unsafe fn find() -> *mut pg_sys::config_generic {
    unsafe {
        let (all, count) = (pg_sys::get_guc_variables(), pg_sys::GetNumConfigOptions());
        let mut records = (0..count as usize).map(|i| *all.add(i));
        records.find(|record| CStr::from_ptr((**record).name) == NAME).unwrap_or(std::ptr::null_mut())
    }
}

#[cfg(not(feature = "pg15"))]
unsafe fn find() -> *mut pg_sys::config_generic {
    unsafe { pg_sys::find_option(NAME.as_ptr(), false, true, PgLogLevel::ERROR as i32) }
}
