//! The PostgreSQL side of sendgate: one verb, one file, every file of the same shape — check the
//! arguments, hold the row, decide (in `sendgate-decision`), write, answer.
//!
//! ```text
//! reserve  preview  confirm  rollback  resolve  breaker/*  admin/*  reading  triggers     the verbs
//! account_row  journal  log                                                               the tables
//! config  entry  statement  error  clock  zone  settings  actor  ids                      the ground
//! ```
//!
//! Functions are plain C functions of their own making rather than `#[pg_extern]`: pgrx turns an
//! SQLSTATE that it does not know into `XX000`, and every error here has one of its own.

mod account_row;
mod actor;
mod admin;
mod breaker;
mod clock;
mod config;
mod confirm;
mod decision;
mod entry;
mod error;
mod gate;
mod ids;
mod journal;
mod log;
mod preview;
mod reading;
mod reserve;
mod resolve;
mod rollback;
mod schema;
mod settings;
mod statement;
mod triggers;
mod zone;

::pgrx::pg_module_magic!();

/// Called by PostgreSQL when the library is loaded.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    quiet_backtraces();
    settings::define();
    config::watch();
}

/// Keeps Rust backtraces out of the DETAIL of PostgreSQL's own errors, where `RUST_BACKTRACE` in the
/// server's environment would put them: they cost milliseconds and tell clients about the build.
/// `RUST_LIB_BACKTRACE=1` still asks for them.
fn quiet_backtraces() {
    const VARIABLE: &str = "RUST_LIB_BACKTRACE";
    if std::env::var_os(VARIABLE).is_none() {
        // A backend has one thread.
        unsafe { std::env::set_var(VARIABLE, "0") };
    }
}
