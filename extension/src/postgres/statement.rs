//! SQL statements as named constants, prepared once per backend, run through SPI.
//!
//! Statements name every object and operator with its schema, so that neither `search_path` nor an object
//! planted on it matters, and take values as parameters only.

use crate::postgres::caught::{calling, told};
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::gucs;
use crate::postgres::list::cells;
use crate::postgres::lock_timeout::Lent;
use crate::postgres::param::Param;
use crate::postgres::planner::{self, Planning, Reads};
use crate::postgres::raw;
use crate::postgres::rewritten;
use crate::postgres::row::{Row, length_of};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::any::Any;
use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CString, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Most parameters of one statement.
const PARAMETERS_MAX: usize = 48;

/// A statement and its plan, which lives as long as the backend.
pub struct Statement {
    sql: Cow<'static, str>,
    types: &'static [pg_sys::Oid],
    reads: Reads,
    plan: Cell<pg_sys::SPIPlanPtr>,
}

// A backend has one thread.
unsafe impl Sync for Statement {}

impl Statement {
    /// A statement with its parameter types.
    pub const fn new(sql: &'static str, types: &'static [pg_sys::Oid]) -> Statement {
        Statement { sql: Cow::Borrowed(sql), types, reads: Reads::Few, plan: Cell::new(std::ptr::null_mut()) }
    }

    /// A statement that reads all of a log's rows of some time, whatever account they are of.
    pub const fn of_a_time(sql: &'static str, types: &'static [pg_sys::Oid]) -> Statement {
        let plan = Cell::new(std::ptr::null_mut());
        Statement { sql: Cow::Borrowed(sql), types, reads: Reads::OfATime, plan }
    }

    /// A statement about a table that only its caller knows, with the names in it quoted.
    pub fn composed(sql: String, types: &'static [pg_sys::Oid]) -> Statement {
        let plan = Cell::new(std::ptr::null_mut());
        Statement { sql: Cow::Owned(sql), types, reads: Reads::Few, plan }
    }

    /// Whether its plan is still one for the tables as they are.
    pub fn is_valid(&self) -> bool {
        self.plan.get().is_null() || unsafe { pg_sys::SPI_plan_is_valid(self.plan.get()) }
    }

    /// A rule that does nothing instead leaves a plan without a query, and so without a table whose changes would end
    /// it: PostgreSQL keeps it when the rule is gone.
    fn forget_one_for_nothing(&self) {
        let plan = self.plan.get();
        let is_for_nothing =
            |source: *mut pg_sys::CachedPlanSource| unsafe { (*source).query_list.is_null() };
        unsafe {
            if !plan.is_null()
                && cells(pg_sys::SPI_plan_get_plan_sources(plan))
                    .any(|cell| is_for_nothing(cell.ptr_value.cast()))
            {
                pg_sys::SPI_freeplan(plan);
                self.plan.set(std::ptr::null_mut());
            }
        }
    }

    /// The plan, made on first use. Generic from the start: the parameters never change its shape.
    fn plan(&self) -> pg_sys::SPIPlanPtr {
        self.forget_one_for_nothing();
        if self.plan.get().is_null() {
            let sql = CString::new(self.sql.as_bytes()).unwrap_or_default();
            unsafe {
                let (count, types) = (self.types.len() as c_int, self.types.as_ptr().cast_mut());
                let options = pg_sys::CURSOR_OPT_GENERIC_PLAN as c_int;
                let text = sql.as_ptr();
                let plan = calling(|| raw::SPI_prepare_cursor(text, count, types, options));
                let code = pg_sys::SPI_result;
                assert!(!plan.is_null(), "SPI_prepare failed with code {code}");
                assert_eq!(pg_sys::SPI_keepplan(plan), 0, "SPI_keepplan failed");
                self.plan.set(plan);
            }
        } else {
            unsafe { planner::keep_whatever_the_search_path(self.plan.get()) };
        }
        self.plan.get()
    }
}

impl Drop for Statement {
    /// Frees the plan, also while an error ends the call that it was made for.
    fn drop(&mut self) {
        if !self.plan.get().is_null() {
            unsafe { pg_sys::SPI_freeplan(self.plan.get()) };
        }
    }
}

/// An SPI connection; results live as long as it.
pub struct Spi {
    open: Cell<bool>,
}

impl Spi {
    /// A connection for the length of `work`. After an error PostgreSQL closes it when it aborts the
    /// transaction: a statement that was interrupted may have left its snapshot behind.
    pub fn connect<T>(work: impl FnOnce(&Spi) -> Result<T>) -> Result<T> {
        Spi::connect_when_needed(|spi| {
            spi.open();
            work(spi)
        })
    }

    /// A connection that is opened by the first statement, for work that often comes without any: its
    /// memory contexts cost more than a look-up. Not for work that runs its first statement in a
    /// subtransaction of its own, with which PostgreSQL would close the connection.
    pub fn connect_when_needed<T>(work: impl FnOnce(&Spi) -> Result<T>) -> Result<T> {
        let spi = Spi { open: Cell::new(false) };
        let answer = work(&spi)?;
        if spi.open.get() {
            unsafe { pg_sys::SPI_finish() };
        }
        Ok(answer)
    }

    fn open(&self) {
        if !self.open.replace(true) {
            unsafe { pg_sys::SPI_connect() };
        }
    }

    /// Runs a statement on a fresh snapshot (at READ COMMITTED) and returns its rows.
    pub fn run(&self, statement: &Statement, params: &[Param]) -> Rows<'_> {
        self.execute(statement, params, false)
    }

    /// Runs a statement on the latest snapshot, also at REPEATABLE READ.
    pub fn run_on_latest_snapshot(&self, statement: &Statement, params: &[Param]) -> Rows<'_> {
        self.lock_tables(statement);
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        let rows = self.execute(statement, params, true);
        unsafe { pg_sys::PopActiveSnapshot() };
        rows
    }

    /// Runs a statement that writes on the latest snapshot, also at REPEATABLE READ: for what concerns a
    /// held account beside its row. A dispatch that only put work off has not written the row, so the
    /// hold could not tell that the transaction's own snapshot is too old to see it.
    pub fn write_on_latest_snapshot(&self, statement: &Statement, params: &[Param]) -> Rows<'_> {
        self.lock_tables(statement);
        let (mut values, nulls) = arguments(statement, params);
        let _planning = Planning::of(&statement.sql, statement.reads);
        let none = std::ptr::null_mut();
        unsafe {
            let latest = pg_sys::GetLatestSnapshot();
            let (plan, values) = (statement.plan(), values.as_mut_ptr());
            let nulls = nulls.as_ptr();
            let code =
                calling(|| raw::SPI_execute_snapshot(plan, values, nulls, latest, none, false, true, 0));
            assert!(code >= 0, "SPI_execute_snapshot failed with code {code}");
            Rows { table: pg_sys::SPI_tuptable, count: pg_sys::SPI_processed as usize, _spi: self }
        }
    }

    /// Locks the tables of a statement, as running it does, until the transaction ends. A session that has one
    /// locked may rewrite it meanwhile, and on a snapshot from before that it would be empty.
    fn lock_tables(&self, statement: &Statement) {
        self.open();
        let _planning = Planning::of(&statement.sql, statement.reads);
        unsafe {
            let plan = statement.plan();
            let plan = calling(|| raw::SPI_plan_get_cached_plan(plan));
            if !plan.is_null() {
                pg_sys::ReleaseCachedPlan(plan, pg_sys::CurrentResourceOwner);
            }
        }
    }

    /// Runs a statement that may wait for a held row, at most for `sendgate.lock_timeout`.
    ///
    /// # Errors
    /// `SG301` when the wait took too long.
    pub fn run_waiting(&self, statement: &Statement, params: &[Param]) -> Result<Rows<'_>> {
        waiting(|| self.execute(statement, params, false))
    }

    /// Does work of many steps that may wait for other sessions' locks, for each at most `sendgate.lock_timeout`.
    ///
    /// # Errors
    /// `SG301` when a wait took too long; those of the work.
    pub fn waiting<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        waiting(work)?
    }

    fn execute(&self, statement: &Statement, params: &[Param], read_only: bool) -> Rows<'_> {
        self.open();
        if !read_only && rewritten::has_fixed_snapshot() {
            self.lock_tables(statement);
            unsafe { rewritten::refuse_younger_tables_of(statement.plan()) };
        }
        let (mut values, nulls) = arguments(statement, params);
        let _planning = Planning::of(&statement.sql, statement.reads);
        unsafe {
            let (plan, values, nulls) = (statement.plan(), values.as_mut_ptr(), nulls.as_ptr());
            let code = calling(|| raw::SPI_execute_plan(plan, values, nulls, read_only, 0));
            assert!(code >= 0, "SPI_execute_plan failed with code {code}");
            Rows { table: pg_sys::SPI_tuptable, count: pg_sys::SPI_processed as usize, _spi: self }
        }
    }
}

/// Parameters as SPI wants them: values, and which of them are NULL.
fn arguments(
    statement: &Statement,
    params: &[Param],
) -> ([pg_sys::Datum; PARAMETERS_MAX], [std::ffi::c_char; PARAMETERS_MAX]) {
    assert!(params.len() <= PARAMETERS_MAX && params.len() == statement.types.len());
    let mut values = [pg_sys::Datum::null(); PARAMETERS_MAX];
    let mut nulls = [b' ' as std::ffi::c_char; PARAMETERS_MAX];
    for (i, param) in params.iter().enumerate() {
        match param {
            Some(datum) => values[i] = *datum,
            None => nulls[i] = b'n' as std::ffi::c_char,
        }
    }
    (values, nulls)
}

/// Does what may wait for a held row, at most for `sendgate.lock_timeout`.
///
/// # Errors
/// `SG301` when the wait took too long.
pub(super) fn waiting<T>(work: impl FnOnce() -> T) -> Result<T> {
    let lent = Lent::new(gucs::lock_timeout_ms());
    let timeout = lent.milliseconds();
    let outcome = catch_unwind(AssertUnwindSafe(work));
    lent.give_back();
    outcome.or_else(
        |panic| {
            if is_lock_timeout(&*panic) { Err(lock_timeout(timeout)) } else { resume_unwind(panic) }
        },
    )
}

fn is_lock_timeout(panic: &(dyn Any + Send)) -> bool {
    const LOCK_NOT_AVAILABLE: &str = "55P03";
    told(panic).is_some_and(|error| error.sqlstate == LOCK_NOT_AVAILABLE)
}

fn lock_timeout(timeout_ms: i32) -> Error {
    Error::new(
        Code::LockTimeout,
        format!("the account is held by another transaction for more than {timeout_ms} ms"),
        "Every decision about an account is made while its row is held; another session keeps it, or has its table locked.",
        "Nothing was changed: try again. Commit right after reserve, confirm and rollback, before calling the provider; pg_blocking_pids() names the holder.",
    )
}

/// The error for rows that PostgreSQL left out without one.
pub fn dropped(table: &str, rows: usize, written: usize) -> ! {
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    let message = format!("{written} of {rows} rows of sendgate.{table} were written");
    ErrorReport::new(code, message, "sendgate")
        .set_detail(
            "A trigger on the table leaves rows out, or its row security hides them. Nothing was changed.",
        )
        .set_hint(format!("Remove the trigger or the policy from sendgate.{table}."))
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// The rows of a statement.
pub struct Rows<'spi> {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
    _spi: &'spi Spi,
}

impl Rows<'_> {
    /// How many rows there are, or were written.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Raises an error where not so many rows of a table were written: what the books leave out, they would
    /// forget.
    pub fn must_be(&self, count: usize, table: &str) {
        if self.count != count {
            dropped(table, count, self.count);
        }
    }

    /// The first row.
    pub fn first(&self) -> Option<Row> {
        self.row(0)
    }

    /// The row at `index`.
    pub fn row(&self, index: usize) -> Option<Row> {
        if index >= self.count || self.table.is_null() {
            return None;
        }
        unsafe {
            let descriptor = (*self.table).tupdesc;
            let tuple = *(*self.table).vals.add(index);
            Some(Row::filled((*descriptor).natts as usize, |values, nulls, lengths| {
                for (i, length) in lengths.iter_mut().enumerate() {
                    *length = length_of(descriptor, i);
                }
                pg_sys::heap_deform_tuple(tuple, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
            }))
        }
    }

    /// Every row.
    pub fn iter(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.count).filter_map(|index| self.row(index))
    }
}
