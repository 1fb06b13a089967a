//! What can go wrong, and whether trying again can help.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

/// The daemon's results.
pub type Result<T> = std::result::Result<T, Error>;

/// The extension's own SQLSTATE for an account that another transaction holds for too long.
const ACCOUNT_HELD: &str = "SG301";

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Yes, with a new connection: the old one is of no use any more.
    Reconnect,
    /// Yes, later, with the same connection.
    Later,
    /// No: somebody has to change something first.
    Never,
}

/// Everything that the daemon reports as an error. Its text never holds a password.
#[derive(Debug)]
pub enum Error {
    /// What was asked for cannot be done: flags, environment, files.
    Usage(String),
    /// No connection: where to, and why not.
    Connect {
        /// Host, port and database, without secrets.
        place: String,
        /// The driver's own error.
        source: tokio_postgres::Error,
    },
    /// A statement failed.
    Statement {
        /// What was being done.
        what: &'static str,
        /// The driver's own error.
        source: tokio_postgres::Error,
    },
    /// The database did not answer in time; the connection is given up.
    TimedOut {
        /// What was being done.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// Others needed what was to be used for too long; nothing was asked.
    Busy {
        /// What was waited for.
        what: &'static str,
        /// How long was waited.
        after: Duration,
    },
    /// A row that has to be there is not: it went away meanwhile.
    NoRow {
        /// What was being done.
        what: &'static str,
    },
    /// Nobody can be served at that address.
    Listen {
        /// The address.
        address: String,
        /// Why not.
        source: io::Error,
    },
    /// Standard output cannot be written.
    Output(io::Error),
    /// The daemon was told to stop meanwhile.
    Stopped,
}

impl Error {
    /// Whether trying again can help.
    pub fn retry(&self) -> Retry {
        match self {
            Error::Usage(_) | Error::Listen { .. } | Error::Output(_) | Error::Stopped => Retry::Never,
            Error::TimedOut { .. } => Retry::Reconnect,
            Error::NoRow { .. } | Error::Busy { .. } => Retry::Later,
            Error::Connect { source, .. } => match source.code() {
                Some(code) if is_about_who(code) => Retry::Never,
                _ => Retry::Reconnect,
            },
            Error::Statement { source, .. } => match source.code() {
                Some(code) if needs_another_connection(code) => Retry::Reconnect,
                Some(_) => Retry::Later,
                None => Retry::Reconnect,
            },
        }
    }

    /// Whether another transaction holds what was needed.
    pub fn is_held(&self) -> bool {
        self.code().is_some_and(|code| *code == SqlState::LOCK_NOT_AVAILABLE || code.code() == ACCOUNT_HELD)
    }

    /// The SQLSTATE, if the database raised the error.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Error::Connect { source, .. } | Error::Statement { source, .. } => source.code(),
            _ => None,
        }
    }
}

/// Wrong name, password or database: class 28 and 3D000.
fn is_about_who(code: &SqlState) -> bool {
    code.code().starts_with("28") || *code == SqlState::INVALID_CATALOG_NAME
}

/// The server ends the session, or has become a standby. Class 08 is the connection's own.
fn needs_another_connection(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::DATABASE_DROPPED,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            // The session's library may be of another version than the SQL, and stays what it is.
            SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
        ]
        .contains(code)
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(text) => f.write_str(text),
            Error::Connect { place, source } => {
                write!(f, "cannot connect to {place}: {}", describe(source))
            }
            Error::Statement { what, source } => write!(f, "{what}: {}", describe(source)),
            Error::TimedOut { what, after } => {
                write!(f, "{what}: no answer within {} s", after.as_secs_f64())
            }
            Error::Busy { what, after } => {
                write!(f, "{what}: others needed it for {} s; try again", after.as_secs_f64())
            }
            Error::NoRow { what } => write!(f, "{what}: it went away meanwhile; try again"),
            Error::Listen { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Error::Output(source) => write!(f, "cannot write to standard output: {source}"),
            Error::Stopped => f.write_str("told to stop"),
        }
    }
}

impl std::error::Error for Error {}

/// The database's message with SQLSTATE and hint, or the driver's chain of causes, on one line.
fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(db) = error.as_db_error() {
        let mut text = format!("{} ({})", db.message(), db.code().code());
        if let Some(detail) = db.detail() {
            text += &format!(". {detail}");
        }
        if let Some(hint) = db.hint() {
            text += &format!(" {hint}");
        }
        return text;
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text += &format!(": {inner_text}");
        }
        cause = inner.source();
    }
    text
}
