//! PostgreSQL's errors, caught whole.
//!
//! pgrx keeps an error's message, DETAIL and HINT, and of its SQLSTATE what it knows. But what an application's trigger
//! raises on our tables, and what our own functions raise when that trigger calls them, has to reach the client and the
//! log as it is: with its CONTEXT, with the names of table, column and constraint, and with an SQLSTATE that PostgreSQL
//! has never heard of. A worker asks again after `SG301`, and gives up after `XX000`. So what may run other people's
//! code, or wait, is called through [`calling`], and its error stays PostgreSQL's own until it is thrown again.

use crate::postgres::sqlstate;
use cee_scape::{SigJmpBufFields, call_with_sigsetjmp};
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::CaughtError;
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, c_char, c_int};
use std::mem::{MaybeUninit, take};
use std::panic::resume_unwind;
use std::ptr::null_mut;

/// Texts of an error that PostgreSQL allocates for each.
const TEXTS: usize = 12;

/// Most names of source files and functions that are kept, far more than PostgreSQL and its extensions have of those that
/// raise errors here.
const NAMES_MAX: usize = 10_000;

unsafe extern "C-unwind" {
    fn CopyErrorData() -> *mut pg_sys::ErrorData;
    fn FreeErrorData(error: *mut pg_sys::ErrorData);
    fn FlushErrorState();
}

/// An error of PostgreSQL's, as it was raised.
pub(super) struct Caught {
    /// What is no text. Of the texts, the pointers are null.
    data: pg_sys::ErrorData,
    /// In the order of [`texts`].
    texts: [Option<CString>; TEXTS],
}

// A backend has one thread.
unsafe impl Send for Caught {}

/// Calls PostgreSQL. Its error goes on as a panic whose payload is a [`Caught`].
///
/// # Safety
/// The call consists of PostgreSQL's functions without pgrx's boundary ([`crate::postgres::raw`]), and owns nothing that
/// needs dropping.
#[inline(always)]
pub(super) unsafe fn calling<T>(call: impl FnOnce() -> T) -> T {
    unsafe {
        let (handler, callbacks) = (pg_sys::PG_exception_stack, pg_sys::error_context_stack);
        let context = pg_sys::CurrentMemoryContext;
        let mut answer = MaybeUninit::<T>::uninit();
        // As PostgreSQL's PG_TRY does.
        let jumped = call_with_sigsetjmp(false, |here: &SigJmpBufFields| {
            pg_sys::PG_exception_stack = std::ptr::from_ref(here).cast_mut().cast();
            answer.write(call());
            0
        });
        pg_sys::PG_exception_stack = handler;
        pg_sys::error_context_stack = callbacks;
        if jumped == 0 {
            return answer.assume_init();
        }
        pg_sys::CurrentMemoryContext = context;
        resume_unwind(Box::new(Caught::take()))
    }
}

impl Caught {
    /// Takes the error away from PostgreSQL, which goes on as if there had been none.
    #[cold]
    unsafe fn take() -> Caught {
        unsafe {
            let copy = CopyErrorData();
            let mut data = *copy;
            // They may lie where PostgreSQL keeps its errors, if the library that raised this one is no C.
            data.filename = kept_name(data.filename);
            data.funcname = kept_name(data.funcname);
            FlushErrorState();
            let texts = texts(&mut data).map(|text| {
                let text = std::mem::replace(text, null_mut());
                (!text.is_null()).then(|| CStr::from_ptr(text).to_owned())
            });
            FreeErrorData(copy);
            Caught { data, texts }
        }
    }

    /// The error in PostgreSQL's memory, in the current context: nothing of Rust's is left to drop when it is thrown
    /// again.
    pub fn in_postgres(mut self) -> *mut pg_sys::ErrorData {
        unsafe {
            let all = take(&mut self.texts);
            for (place, text) in texts(&mut self.data).into_iter().zip(&all) {
                if let Some(text) = text {
                    *place = pg_sys::pstrdup(text.as_ptr());
                }
            }
            let error = pg_sys::palloc(size_of::<pg_sys::ErrorData>()).cast::<pg_sys::ErrorData>();
            error.write(self.data);
            error
        }
    }

    fn message(&self) -> String {
        self.texts[0].as_deref().map_or_else(String::new, |text| text.to_string_lossy().into_owned())
    }
}

/// The texts that an error owns; the message is the first.
fn texts(data: &mut pg_sys::ErrorData) -> [&mut *mut c_char; TEXTS] {
    [
        &mut data.message,
        &mut data.detail,
        &mut data.detail_log,
        &mut data.hint,
        &mut data.context,
        &mut data.backtrace,
        &mut data.schema_name,
        &mut data.table_name,
        &mut data.column_name,
        &mut data.datatype_name,
        &mut data.constraint_name,
        &mut data.internalquery,
    ]
}

thread_local! {
    static NAMES: RefCell<BTreeSet<&'static CStr>> = const { RefCell::new(BTreeSet::new()) };
}

/// The name of a source file or function in a place where it stays: PostgreSQL keeps no copy of it, because in C such a
/// name is part of the program.
unsafe fn kept_name(name: *const c_char) -> *const c_char {
    if name.is_null() {
        return name;
    }
    let name = unsafe { CStr::from_ptr(name) };
    NAMES.with_borrow_mut(|names| match names.get(name) {
        Some(kept) => kept.as_ptr(),
        None if names.len() < NAMES_MAX => {
            let kept: &'static CStr = Box::leak(name.to_owned().into_boxed_c_str());
            names.insert(kept);
            kept.as_ptr()
        }
        None => c"".as_ptr(),
    })
}

/// SQLSTATE and message of an error that PostgreSQL raised.
pub(super) struct Told {
    /// The five characters of its SQLSTATE.
    pub sqlstate: String,
    /// Its message.
    pub message: String,
    /// Whether PostgreSQL has no such SQLSTATE of its own.
    pub is_foreign: bool,
}

/// What a panic tells, where it is an error of PostgreSQL's.
pub(super) fn told(panic: &(dyn Any + Send)) -> Option<Told> {
    let (packed, message) = if let Some(caught) = panic.downcast_ref::<Caught>() {
        (caught.data.sqlerrcode, caught.message())
    } else if let Some(CaughtError::PostgresError(report)) = panic.downcast_ref::<CaughtError>() {
        (report.sql_error_code() as c_int, report.message().to_owned())
    } else {
        return None;
    };
    const UNKNOWN: PgSqlErrorCode = PgSqlErrorCode::ERRCODE_INTERNAL_ERROR;
    let is_foreign = PgSqlErrorCode::from(packed) == UNKNOWN && packed != UNKNOWN as c_int;
    Some(Told { sqlstate: sqlstate::decode(packed), message, is_foreign })
}
