//! The PostgreSQL side of sendgate: one verb, one file, every file of the same shape — check the
//! arguments, hold the row, decide (in `sendgate-decision`), write, answer.
//!
//! ```text
//! triggers                 on sendgate's own tables, and on an application's (guard_send, settle_send)
//! verbs         books      the SQL functions, one a file; the jobs
//! gate          settle     what the verbs share: taking a slot, settling an operation
//! tables                   rows as values, and the statements that more than one verb needs
//! postgres                 how to talk to the server; knows no rule
//! ```
//!
//! Read from the top: a folder uses those below it, and never one beside or above it.
//!
//! Functions are plain C functions of their own making rather than `#[pg_extern]`: pgrx turns an
//! SQLSTATE that it does not know into `XX000`, and every error here has one of its own.

mod books;
mod gate;
mod install_script;
mod postgres;
mod settle;
mod tables;
mod triggers;
mod verbs;

::pgrx::pg_module_magic!();

/// Whose changes a session has to hear of.
static WATCHED: [&postgres::invalidation::Watch; 3] =
    [&postgres::catalog::RELATIONS, &tables::config::WATCHED, &tables::suppressions::WATCHED];

/// Called by PostgreSQL when the library is loaded.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    quiet_backtraces();
    postgres::gucs::define();
    gate::refusals::prepare();
    tables::activity::prepare();
    postgres::planner::install();
    postgres::invalidation::listen(&WATCHED);
    triggers::guard::unheld::watch();
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
