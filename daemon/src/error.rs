//! The daemon's errors, and whether a retry can help.

use std::fmt;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

/// The daemon's results.
pub type Result<T> = std::result::Result<T, Error>;

/// The extension's SQLSTATE for an account that another transaction holds for too long.
const ACCOUNT_HELD: &str = "SG301";
/// sendgate's SQLSTATE for an account that does not exist.
const UNKNOWN_ACCOUNT: &str = "SG101";

/// Whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Yes, with a new connection: the old one cannot be used any more.
    Reconnect,
    /// Yes, later, with the same connection.
    Later,
    /// No: a person has to change something first.
    Never,
}

/// Every error that the daemon reports. Its text never holds a password.
#[derive(Debug)]
pub enum Error {
    /// The request cannot be met: a flag, the environment or a file is wrong.
    Usage(String),
    /// The connection failed.
    Connect {
        /// Host, port and database, without secrets.
        place: String,
        /// The driver's own error.
        source: tokio_postgres::Error,
    },
    /// A statement failed.
    Statement {
        /// The step that failed, as in "reading the account".
        what: &'static str,
        /// The driver's own error.
        source: tokio_postgres::Error,
    },
    /// The database did not answer in time, and the connection was given up.
    TimedOut {
        /// The step that failed, as in "reading the account".
        what: &'static str,
        /// The time that was waited.
        after: Duration,
    },
    /// Others used a shared connection for too long; the database was not asked.
    Busy {
        /// The step that had to wait.
        what: &'static str,
        /// The time that was waited.
        after: Duration,
    },
    /// A row is missing that was there a moment ago.
    NoRow {
        /// The step that failed, as in "reading the account".
        what: &'static str,
    },
    /// The address cannot be listened on.
    Listen {
        /// The address.
        address: String,
        /// The system's error.
        source: io::Error,
    },
    /// Standard output cannot be written.
    Output(io::Error),
    /// The shutdown came first.
    Stopped,
}

impl Error {
    /// Whether a retry can help.
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

    /// Whether another transaction held the needed row or table.
    pub fn is_held(&self) -> bool {
        self.code().is_some_and(|code| *code == SqlState::LOCK_NOT_AVAILABLE || code.code() == ACCOUNT_HELD)
    }

    /// Whether the database knows no such account.
    pub fn is_unknown_account(&self) -> bool {
        self.code().is_some_and(|code| code.code() == UNKNOWN_ACCOUNT)
    }

    /// The SQLSTATE, if the database raised the error.
    pub fn code(&self) -> Option<&SqlState> {
        match self {
            Error::Connect { source, .. } | Error::Statement { source, .. } => source.code(),
            _ => None,
        }
    }
}

/// Whether the name, the password or the database is wrong: class 28 and 3D000.
fn is_about_who(code: &SqlState) -> bool {
    code.code().starts_with("28") || *code == SqlState::INVALID_CATALOG_NAME
}

/// Whether the session cannot be used any more: the server ends it, or has become a standby. Class 08 is the
/// connection's own.
fn needs_another_connection(code: &SqlState) -> bool {
    code.code().starts_with("08")
        || [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::DATABASE_DROPPED,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
            // The library that the session loaded may have another version than the SQL; only a new session
            // loads another.
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
