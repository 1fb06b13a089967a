//! Work that can be taken back as a whole without ending the caller's transaction.

use crate::postgres::caught::{Told, told};
use crate::postgres::error::Result;
use pgrx::pg_sys;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// How an attempt ended.
pub enum Attempt<T> {
    /// It stands.
    Kept(T),
    /// The work itself asked for it to be taken back.
    TakenBack,
    /// PostgreSQL refused what it was given, and it was taken back: the SQLSTATE and the message.
    Failed(String),
}

/// SQLSTATE classes that say "this row cannot be": data, cardinality and integrity errors, and what
/// a trigger raises. Everything else that PostgreSQL itself raises — cancels, conflicts, resources,
/// bugs — is not a row's fault; whatever else an application's trigger raises is, unless one of our
/// functions that it called had to wait for too long.
const ROW_ERRORS: [&str; 6] = ["21", "22", "23", "27", "44", "P0"];

const WAITED: &str = "SG3";

const UNIQUE_VIOLATION: &str = "23505";

/// Runs `work` in a subtransaction. `Ok(None)` takes it back; so does an error about a row. Any other
/// error takes it back as well and goes on to the caller's transaction: a subtransaction left open
/// would leave the session with the rights of this function.
pub fn attempt<T>(work: impl FnOnce() -> Result<Option<T>>) -> Result<Attempt<T>> {
    attempt_but(is_about_a_row, work)
}

/// The same, where the only error that may be overcome is a key that is there already.
pub fn attempt_unless_there<T>(work: impl FnOnce() -> Result<Option<T>>) -> Result<Attempt<T>> {
    attempt_but(|error| error.sqlstate == UNIQUE_VIOLATION, work)
}

/// The same, where no error may be overcome: only the work itself asks for it to be taken back.
pub fn attempt_or_fail<T>(work: impl FnOnce() -> Result<Option<T>>) -> Result<Option<T>> {
    match attempt_but(|_| false, work)? {
        Attempt::Kept(value) => Ok(Some(value)),
        Attempt::TakenBack | Attempt::Failed(_) => Ok(None),
    }
}

fn attempt_but<T>(
    is_overcome: impl FnOnce(&Told) -> bool,
    work: impl FnOnce() -> Result<Option<T>>,
) -> Result<Attempt<T>> {
    let surroundings = unsafe { Surroundings::begin() };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(Some(value))) => {
            unsafe { surroundings.keep() };
            Ok(Attempt::Kept(value))
        }
        Ok(Ok(None)) => {
            unsafe { surroundings.take_back() };
            Ok(Attempt::TakenBack)
        }
        Ok(Err(error)) => {
            unsafe { surroundings.take_back() };
            Err(error)
        }
        Err(panic) => {
            unsafe { surroundings.take_back() };
            match told(&*panic).filter(is_overcome) {
                Some(error) => Ok(Attempt::Failed(format!("{}: {}", error.sqlstate, error.message))),
                None => resume_unwind(panic),
            }
        }
    }
}

/// The state of the backend that has to be restored when a subtransaction is over.
struct Surroundings {
    context: pg_sys::MemoryContext,
    owner: pg_sys::ResourceOwner,
}

impl Surroundings {
    unsafe fn begin() -> Surroundings {
        unsafe {
            let before =
                Surroundings { context: pg_sys::CurrentMemoryContext, owner: pg_sys::CurrentResourceOwner };
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(before.context);
            before
        }
    }

    unsafe fn keep(self) {
        unsafe {
            pg_sys::ReleaseCurrentSubTransaction();
            self.restore();
        }
    }

    unsafe fn take_back(self) {
        unsafe {
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            self.restore();
        }
    }

    unsafe fn restore(self) {
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.context);
            pg_sys::CurrentResourceOwner = self.owner;
        }
    }
}

fn is_about_a_row(error: &Told) -> bool {
    if error.is_foreign {
        !error.sqlstate.starts_with(WAITED)
    } else {
        ROW_ERRORS.contains(&&error.sqlstate[..2])
    }
}
