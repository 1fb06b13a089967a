//! The door between PostgreSQL and a verb: arguments in, an answer or an error out.

use crate::postgres::error::{Code, Error, Prepared, Result, raise};
use crate::postgres::ids::Id;
use pgrx::datum::{Interval, TimestampWithTimeZone, Uuid};
use pgrx::{FromDatum, pg_sys};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::Action;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Longest id, in characters: any application key fits, and an index row stays small.
pub const ID_CHARACTERS_MAX: usize = 128;

/// Longest display name, in characters.
pub const DISPLAY_NAME_CHARACTERS_MAX: usize = 200;

/// Longest note, chat id or rule text, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 2_000;

/// Exports a verb as a C function of PostgreSQL's version-1 calling convention.
macro_rules! sql_function {
    ($symbol:ident, $info:ident, $verb:path) => {
        $crate::postgres::function::export!($symbol, $info, $verb, || {
            $crate::postgres::version::check();
            Ok(())
        });
    };
}
pub(crate) use sql_function;

/// The same for a verb that comes to its accounts by statements of SQL. A look-up sees for itself that
/// an upgrade came while it waited; a statement would go on, by the rules of before.
macro_rules! sql_statements {
    ($symbol:ident, $info:ident, $verb:path) => {
        $crate::postgres::function::export!(
            $symbol,
            $info,
            $verb,
            $crate::postgres::version::check_past_upgrades
        );
    };
}
pub(crate) use sql_statements;

/// The same for a function that answers under SQL of any version, because it decides nothing: one that
/// reads for a view, or checks a row that is being restored.
macro_rules! sql_reading {
    ($symbol:ident, $info:ident, $reading:path) => {
        $crate::postgres::function::export!($symbol, $info, $reading, || Ok(()));
    };
}
pub(crate) use sql_reading;

macro_rules! export {
    ($symbol:ident, $info:ident, $verb:path, $check:expr) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub extern "C-unwind" fn $info() -> &'static ::pgrx::pg_sys::Pg_finfo_record {
            const INFO: ::pgrx::pg_sys::Pg_finfo_record = ::pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &INFO
        }

        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $symbol(
            fcinfo: ::pgrx::pg_sys::FunctionCallInfo,
        ) -> ::pgrx::pg_sys::Datum {
            unsafe { $crate::postgres::function::call(fcinfo, $check, $verb) }
        }
    };
}
pub(crate) use export;

/// A verb's answer: a value, or NULL.
pub type Answer = Result<Option<pg_sys::Datum>>;

/// The answer of a verb that returns nothing.
pub const VOID: Answer = Ok(Some(pg_sys::Datum::null()));

/// Checks that library and SQL are of one version, runs a verb, and raises its error once everything of Rust's is
/// gone.
///
/// # Safety
/// Only for PostgreSQL's function manager, with its own `fcinfo`.
pub unsafe fn call(
    fcinfo: pg_sys::FunctionCallInfo,
    check_version: impl FnOnce() -> Result<()>,
    verb: fn(&Args) -> Answer,
) -> pg_sys::Datum {
    let answer = unsafe { run(|| check_version().and_then(|()| verb(&Args(fcinfo)))) };
    answer.unwrap_or_else(|| {
        unsafe { (*fcinfo).isnull = true };
        pg_sys::Datum::null()
    })
}

/// Runs work that PostgreSQL called for, and raises its error once everything of Rust's is gone.
///
/// # Safety
/// Only right below PostgreSQL's own frame.
pub unsafe fn run<T: Copy>(work: impl FnOnce() -> Result<T>) -> T {
    let caught = || match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => outcome.map_err(Prepared::from),
        Err(panic) => Err(Prepared::from_panic(panic)),
    };
    match unsafe { pg_sys::panic::pgrx_extern_c_guard(caught) } {
        Ok(answer) => answer,
        Err(error) => unsafe { raise(error) },
    }
}

/// The arguments of one call.
pub struct Args(pub pg_sys::FunctionCallInfo);

impl Args {
    /// The argument at `position` (from 0), or `None` for NULL.
    pub fn optional<T: FromDatum>(&self, position: usize) -> Option<T> {
        unsafe { pgrx::fcinfo::pg_getarg(self.0, position) }
    }

    /// Whether the argument is NULL.
    pub fn is_null(&self, position: usize) -> bool {
        unsafe { pgrx::fcinfo::pg_arg_is_null(self.0, position) }
    }

    /// A time of day in microseconds after midnight, or `None` for NULL.
    pub fn time(&self, position: usize) -> Option<i64> {
        let argument = unsafe { pgrx::fcinfo::pg_get_nullable_datum(self.0, position) };
        (!argument.isnull).then_some(argument.value.value() as i64)
    }

    /// The argument, which must not be NULL.
    pub fn required<T: FromDatum>(&self, position: usize, name: &str) -> Result<T> {
        self.optional(position).ok_or_else(|| null_argument(name))
    }

    /// A text that must not be NULL, blank or longer than `characters_max`.
    pub fn text(&self, position: usize, name: &str, characters_max: usize) -> Result<&str> {
        let text = self.required(position, name)?;
        check_text(text, name, characters_max)
    }

    /// The same, but NULL is allowed.
    pub fn optional_text(&self, position: usize, name: &str, characters_max: usize) -> Result<Option<&str>> {
        self.optional(position).map(|text| check_text(text, name, characters_max)).transpose()
    }

    /// An id.
    pub fn id(&self, position: usize, name: &str) -> Result<&str> {
        self.text(position, name, ID_CHARACTERS_MAX)
    }

    /// An id that may be NULL.
    pub fn optional_id(&self, position: usize, name: &str) -> Result<Option<&str>> {
        self.optional_text(position, name, ID_CHARACTERS_MAX)
    }

    /// An operator's note; may be NULL.
    pub fn note(&self, position: usize) -> Result<Option<&str>> {
        self.optional_text(position, "note", TEXT_CHARACTERS_MAX)
    }

    /// An action.
    pub fn action(&self, position: usize) -> Result<Action> {
        self.action_named(position, "action")
    }

    /// An action under another name.
    pub fn action_named(&self, position: usize, name: &str) -> Result<Action> {
        let text: &str = self.required(position, name)?;
        Action::parse(text).ok_or_else(|| unknown_value(name, text, &Action::allowed()))
    }

    /// An action that may be NULL.
    pub fn optional_action(&self, position: usize) -> Result<Option<Action>> {
        if self.is_null(position) { Ok(None) } else { self.action(position).map(Some) }
    }

    /// A UUID that must not be NULL.
    pub fn uuid(&self, position: usize, name: &str) -> Result<Id> {
        self.required::<Uuid>(position, name).map(|uuid| *uuid.as_bytes())
    }

    /// A UUID that may be NULL.
    pub fn optional_uuid(&self, position: usize) -> Option<Id> {
        self.optional::<Uuid>(position).map(|uuid| *uuid.as_bytes())
    }

    /// A finite instant that may be NULL.
    pub fn optional_instant(&self, position: usize, name: &str) -> Result<Option<Instant>> {
        let Some(raw) = self.optional::<TimestampWithTimeZone>(position) else {
            return Ok(None);
        };
        finite_instant(raw.into(), name).map(Some)
    }

    /// A length of time from 0 to `days_max` days, in microseconds; may be NULL. Months are refused:
    /// they have no length.
    pub fn optional_interval(&self, position: usize, name: &str, days_max: i64) -> Result<Option<i64>> {
        let interval = self.optional::<Interval>(position);
        interval.map(|interval| check_interval(&interval, name, days_max)).transpose()
    }

    /// A number from `min` to `max` that may be NULL.
    pub fn optional_number(&self, position: usize, name: &str, min: i32, max: i32) -> Result<Option<i32>> {
        self.optional(position).map(|value| check_number(value, name, min, max)).transpose()
    }

    /// A number from `min` to `max`.
    pub fn number(&self, position: usize, name: &str, min: i32, max: i32) -> Result<i32> {
        check_number(self.required(position, name)?, name, min, max)
    }
}

/// Passes a length of time from 0 to `days_max` days, in microseconds. Months are refused: they have
/// no length.
fn check_interval(interval: &Interval, name: &str, days_max: i64) -> Result<i64> {
    let (months, days, micros) = (interval.months(), interval.days(), interval.micros());
    let total = i64::from(days)
        .checked_mul(sendgate_decision::clock::DAY)
        .and_then(|whole| whole.checked_add(micros))
        .filter(|_| months == 0)
        .filter(|total| (0..=days_max * sendgate_decision::clock::DAY).contains(total));
    match total {
        Some(total) => Ok(total),
        None => Err(Error::new(
            Code::TimeOutOfRange,
            format!("{name} is out of range"),
            format!(
                "It has {months} months, {days} days and {micros} microseconds; allowed are 0 to {days_max} days without months."
            ),
            format!("Pass {name} in days, hours, minutes or seconds."),
        )),
    }
}

/// Passes a `timestamptz` that is not infinite.
pub fn finite_instant(micros: pg_sys::TimestampTz, name: &str) -> Result<Instant> {
    if micros == i64::MIN || micros == i64::MAX {
        return Err(Error::new(
            Code::TimeOutOfRange,
            format!("{name} must be a finite instant"),
            "Infinity is not an instant at which anything happened.",
            "Pass the provider's time stamp, or leave it out.",
        ));
    }
    Ok(Instant(micros))
}

/// The error for a NULL where none is allowed.
pub fn null_argument(name: &str) -> Error {
    Error::new(
        Code::NullArgument,
        format!("{name} must not be null"),
        format!("The argument {name} has no default that would be safe to assume."),
        format!("Pass a value for {name}."),
    )
}

/// The error for a value outside its closed list.
pub fn unknown_value(name: &str, value: &str, allowed: &str) -> Error {
    Error::new(
        Code::UnknownValue,
        format!("unknown {name}: \"{}\"", shown(value)),
        format!("Allowed values of {name}: {allowed}."),
        "Names are lower case and spelled exactly as listed.",
    )
}

/// A value as an error message shows it: not endlessly long, no control characters.
pub fn shown(value: &str) -> String {
    const SHOWN_CHARACTERS_MAX: usize = 80;
    let mut text: String = value
        .chars()
        .take(SHOWN_CHARACTERS_MAX)
        .map(|c| if c.is_control() { '\u{FFFD}' } else { c })
        .collect();
    if value.chars().nth(SHOWN_CHARACTERS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// Characters that are no white space and yet cannot be seen. The domain `chat_reference` has the same.
const INVISIBLE: [char; 12] = [
    '\u{AD}', '\u{34F}', '\u{115F}', '\u{1160}', '\u{180E}', '\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}',
    '\u{3164}', '\u{FEFF}', '\u{FFA0}',
];

/// Whether a text holds nothing but white space.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || INVISIBLE.contains(&c))
}

/// Passes a text that is neither blank nor longer than `characters_max`.
pub fn check_text<'a>(text: &'a str, name: &str, characters_max: usize) -> Result<&'a str> {
    if is_blank(text) {
        return Err(Error::new(
            Code::InvalidText,
            format!("{name} must not be blank: \"{}\"", shown(text)),
            format!("{name} takes 1 to {characters_max} characters, not only white space."),
            format!("Pass a value for {name}, or null where the argument is optional."),
        ));
    }
    // Bytes first: most texts are short, and counting characters costs a pass.
    if text.len() > characters_max && text.chars().count() > characters_max {
        return Err(Error::new(
            Code::InvalidText,
            format!("{name} is too long: \"{}\"", shown(text)),
            format!("It has {} characters; at most {characters_max} are allowed.", text.chars().count()),
            format!("Shorten {name}; nothing is cut off silently."),
        ));
    }
    Ok(text)
}

/// Passes a number from `min` to `max`.
///
/// # Errors
/// `SG003`.
pub fn check_number(value: i32, name: &str, min: i32, max: i32) -> Result<i32> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(Error::new(
        Code::NumberOutOfRange,
        format!("{name} is out of range: {value}"),
        format!("Allowed are {min} to {max}."),
        format!("Pass {name} within its range."),
    ))
}

/// An instant as a message or the admin log shows it: ISO 8601, UTC, whatever the session's
/// `TimeZone`.
pub fn show_instant(at: Instant) -> String {
    let (year, month, day) = at.day().civil();
    let in_day = at.0 - at.day().start().0;
    let (seconds, micros) =
        (in_day / sendgate_decision::clock::SECOND, in_day % sendgate_decision::clock::SECOND);
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02}{fraction}+00")
}
