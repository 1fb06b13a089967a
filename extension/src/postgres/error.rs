//! The errors of the contract: a closed list, each with its SQLSTATE, a message that names the
//! value, a DETAIL and a HINT.

use crate::postgres::caught::{Caught, calling};
use crate::postgres::sqlstate;
use pgrx::PgLogLevel;
use pgrx::pg_sys;
use std::any::Any;
use std::ffi::{CString, c_char, c_int};
use std::panic::resume_unwind;

/// Defines the closed list of SQLSTATEs.
macro_rules! sqlstates {
    ($($(#[$meta:meta])* $variant:ident = $code:literal),+ $(,)?) => {
        /// What went wrong, as its SQLSTATE. Class `SG`: `0` arguments, `1` unknown things,
        /// `2` states, `3` waiting, `4` the gate's no.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code { $($(#[$meta])* $variant),+ }

        impl Code {
            /// The five characters of the SQLSTATE.
            pub const fn sqlstate(self) -> &'static [u8; 5] {
                match self { $(Code::$variant => $code),+ }
            }
        }
    };
}

sqlstates! {
    /// A NULL where none is allowed.
    NullArgument = b"SG001",
    /// Text that is blank or too long.
    InvalidText = b"SG002",
    /// A number outside its range.
    NumberOutOfRange = b"SG003",
    /// A value that is not in its closed list.
    UnknownValue = b"SG004",
    /// A time zone that the server does not know.
    UnknownTimeZone = b"SG005",
    /// A sending window that cannot be.
    ImpossibleWindow = b"SG006",
    /// An instant or an interval outside its range.
    TimeOutOfRange = b"SG007",
    /// An HTTP status pattern that is neither `429` nor `4xx`.
    InvalidStatusPattern = b"SG008",
    /// An error rule without a condition.
    EmptyRule = b"SG009",
    /// A trigger of ours that is not declared as it has to be.
    MisusedTrigger = b"SG010",
    /// Arrays that belong together and have different lengths, or too many elements.
    UnequalArrays = b"SG020",
    /// No such account.
    UnknownAccount = b"SG101",
    /// No such operation on this account.
    UnknownOperation = b"SG102",
    /// No such tier.
    UnknownTier = b"SG103",
    /// No such error rule.
    UnknownRule = b"SG104",
    /// No such alert.
    UnknownAlert = b"SG105",
    /// No webhook of this name is registered.
    UnknownWebhook = b"SG106",
    /// The operation id was used with other arguments.
    OperationMismatch = b"SG201",
    /// The operation was confirmed with another chat id.
    ChatIdConflict = b"SG202",
    /// A delivered operation cannot be rolled back.
    AlreadyDelivered = b"SG203",
    /// The operation is not waiting for an operator.
    NotUnresolved = b"SG204",
    /// A tier that accounts use cannot vanish.
    TierInUse = b"SG205",
    /// The breaker is not open, so there is nothing to probe.
    BreakerNotOpen = b"SG206",
    /// A probe is under way already.
    ProbeLeased = b"SG207",
    /// An operator holds the breaker open.
    BreakerForcedOpen = b"SG208",
    /// The row's day is not ahead of the clock.
    DayNotAhead = b"SG209",
    /// The log cannot be changed.
    AppendOnly = b"SG210",
    /// A delivery without proof; only ever a WARNING.
    UnprovenDelivery = b"SG211",
    /// A give-back that is not believed; only ever a WARNING.
    OutcomeStaysUnknown = b"SG212",
    /// The request id was used with other arguments.
    RequestMismatch = b"SG213",
    /// The event of this send is in the log already.
    AlreadyRecorded = b"SG214",
    /// Nothing sends before the books were checked.
    Quarantined = b"SG215",
    /// A grant in a transaction that may never be committed; a warning.
    InTransaction = b"SG216",
    /// The same, refused.
    TransactionRefused = b"SG217",
    /// Work with an unanswered attempt was to be put back.
    WorkUnresolved = b"SG218",
    /// An account or a prospect cannot leave while a send is under way.
    SendUnderWay = b"SG219",
    /// A `retry_after` that makes no sense; a warning.
    SenselessWait = b"SG220",
    /// A clear of a breaker that the next InMail stamps again; a warning.
    NoCreditsLeft = b"SG221",
    /// A permit that may lapse before an InMail can take it; a warning.
    PermitMayLapse = b"SG222",
    /// Another session held the account's row for too long.
    LockTimeout = b"SG301",
    /// The decision was overtaken again and again.
    Undecided = b"SG302",
    /// Another session answered the same request meanwhile.
    RequestAnswered = b"SG303",
    /// The gate's no to a row that `guard_send` guards; the message is the reason.
    Refused = b"SG401",
    /// A row that cannot be; PostgreSQL's own code for a CHECK that fails.
    Impossible = b"23514",
    /// What only operators may do; PostgreSQL's own code for a missing privilege.
    NotAnOperator = b"42501",
}

/// An error on its way to the client.
#[derive(Clone, Debug)]
pub struct Error {
    code: Code,
    message: String,
    detail: String,
    hint: String,
}

/// What every verb returns.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error that says what is wrong with which value, why that is so, and what to do next.
    pub fn new(
        code: Code,
        message: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Error {
        Error { code, message: message.into(), detail: detail.into(), hint: hint.into() }
    }

    /// The same error about one element of a list, counted from 1 as SQL does.
    pub fn at(self, index: usize) -> Error {
        Error { message: format!("element {}: {}", index + 1, self.message), ..self }
    }

    /// What is wrong with which value.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Why that is so.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What to do next.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

unsafe extern "C-unwind" {
    fn ThrowErrorData(error: *mut pg_sys::ErrorData);
    fn ReThrowError(error: *mut pg_sys::ErrorData) -> !;
}

/// An error that lies in PostgreSQL's memory, so that nothing of Rust's is left to drop when it is raised.
#[derive(Clone, Copy)]
pub(super) enum Prepared {
    /// One of ours, which PostgreSQL has not seen yet.
    Own(*mut pg_sys::ErrorData),
    /// One that was caught, with its whole CONTEXT.
    Caught(*mut pg_sys::ErrorData),
}

impl From<Error> for Prepared {
    fn from(error: Error) -> Prepared {
        Prepared::Own(error_data(PgLogLevel::ERROR, &error))
    }
}

impl Prepared {
    /// The error of PostgreSQL that this panic carries; any other panic goes on to pgrx.
    pub fn from_panic(panic: Box<dyn Any + Send>) -> Prepared {
        match panic.downcast::<Caught>() {
            Ok(caught) => Prepared::Caught(caught.in_postgres()),
            Err(panic) => resume_unwind(panic),
        }
    }
}

/// The error as PostgreSQL keeps it, in the current memory context.
fn error_data(level: PgLogLevel, error: &Error) -> *mut pg_sys::ErrorData {
    let data = pg_sys::ErrorData {
        elevel: level as c_int,
        sqlerrcode: sqlstate::encode(error.code.sqlstate()),
        message: palloc_text(&error.message),
        detail: optional_text(&error.detail),
        hint: optional_text(&error.hint),
        filename: c"sendgate".as_ptr(),
        funcname: c"sendgate".as_ptr(),
        ..pg_sys::ErrorData::default()
    };
    unsafe {
        let place = pg_sys::palloc(size_of::<pg_sys::ErrorData>()).cast::<pg_sys::ErrorData>();
        place.write(data);
        place
    }
}

fn optional_text(text: &str) -> *mut c_char {
    if text.is_empty() { std::ptr::null_mut() } else { palloc_text(text) }
}

fn palloc_text(text: &str) -> *mut c_char {
    // PostgreSQL's text holds no NUL, so none is lost here.
    let text = CString::new(text.replace('\0', "")).unwrap_or_default();
    unsafe { pg_sys::pstrdup(text.as_ptr()) }
}

/// Raises the error; PostgreSQL jumps out of here.
///
/// # Safety
/// No frame between this one and PostgreSQL's caller may own anything that needs dropping.
pub(super) unsafe fn raise(error: Prepared) -> ! {
    unsafe {
        match error {
            Prepared::Own(error) => ThrowErrorData(error),
            Prepared::Caught(error) => ReThrowError(error),
        }
    }
    unreachable!("an ERROR does not return");
}

/// Tells the client something that is not an error.
pub fn warn(error: Error) {
    let data = error_data(PgLogLevel::WARNING, &error);
    // A WARNING does not jump by itself, but a cancel that arrives meanwhile does.
    unsafe { calling(|| ThrowErrorData(data)) };
}
