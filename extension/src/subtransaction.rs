//! Work that can be taken back as a whole without ending the caller's transaction.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;

use crate::error::Result;
use crate::sqlstate;

/// What became of an attempt.
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

/// Runs `work` in a subtransaction. `Ok(None)` takes it back; so does an error about a row. Any other
/// error takes it back as well and goes on to the caller's transaction: a subtransaction left open
/// would leave the session with the rights of this function.
pub fn attempt<T>(work: impl FnOnce() -> Result<Option<T>>) -> Result<Attempt<T>> {
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
            match row_error(&*panic) {
                Some(message) => Ok(Attempt::Failed(message)),
                None => resume_unwind(panic),
            }
        }
    }
}

/// What has to be as it was when a subtransaction is over.
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

fn row_error(panic: &(dyn std::any::Any + Send)) -> Option<String> {
    let Some(CaughtError::PostgresError(report)) = panic.downcast_ref::<CaughtError>() else {
        return None;
    };
    let own = sqlstate::unknown_to_pgrx(report);
    let code = sqlstate::decode(own.unwrap_or(report.sql_error_code() as i32));
    let is_the_rows_fault = match own {
        Some(_) => !code.starts_with(WAITED),
        None => ROW_ERRORS.contains(&&code[..2]),
    };
    is_the_rows_fault.then(|| format!("{code}: {}", report.message()))
}
