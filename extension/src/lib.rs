//! The PostgreSQL side of sendgate: one verb, one file, every file of the same shape — check the
//! arguments, hold the row, decide (in `sendgate-decision`), write, answer.
//!
//! ```text
//! reserve  preview  confirm  rollback  resolve  settle_many  breaker/*  admin/*           the verbs
//! books/*  dispatch/*  campaign/*  external  guard/*  reading  triggers
//! account_row  grant  journal  enrollment  queue  quarantine  log  campaign_log                        the tables
//! config  entry  statement  lookup  row  arrays  subtransaction  error  sqlstate  clock  zone  the ground
//! catalog  version  refusals  settings  actor  ids
//! ```
//!
//! Functions are plain C functions of their own making rather than `#[pg_extern]`: pgrx turns an
//! SQLSTATE that it does not know into `XX000`, and every error here has one of its own.

mod account_row;
mod accounts_write;
mod actor;
mod admin;
mod arrays;
mod books;
mod breaker;
mod campaign;
mod campaign_log;
mod catalog;
mod clock;
mod config;
mod confirm;
mod decision;
mod dispatch;
mod enrollment;
mod enrollment_many;
mod entry;
mod error;
mod external;
mod gate;
mod grant;
mod guard;
mod ids;
mod journal;
mod journal_many;
mod log;
mod lookup;
mod planner;
mod preview;
mod quarantine;
mod queue;
mod reading;
mod record_set;
mod refusals;
mod reserve;
mod resolve;
mod rollback;
mod row;
mod schema;
mod settings;
mod settle_many;
mod sqlstate;
mod statement;
mod subtransaction;
mod trigger_row;
mod triggers;
mod version;
mod zone;

::pgrx::pg_module_magic!();

/// Called by PostgreSQL when the library is loaded.
#[pgrx::pg_guard]
pub extern "C-unwind" fn _PG_init() {
    quiet_backtraces();
    settings::define();
    refusals::prepare();
    catalog::watch();
    config::watch();
    guard::watch();
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
