//! Reads rows by an index straight from their table.
//!
//! For the few reads that every call of the gate makes: setting up a statement costs several times as
//! much as the read itself. What the executor would do is done here in its order: lock the table, take
//! a snapshot, walk the index, test visibility, and for a row that is to be held, lock its latest
//! version. The functions run as the tables' owner, so there is no privilege to check beyond their own.

mod ascending;
mod entry;
pub mod key;
mod patience;
mod reader;
mod scan;

pub use ascending::Ascending;
pub use patience::Patience;
pub use reader::Reader;

use crate::postgres::catalog;
use crate::postgres::caught::calling;
use crate::postgres::error::Result;
use crate::postgres::index_scan::key::{KeyColumn, index_on};
use crate::postgres::index_scan::scan::{Found, KEY_COLUMNS_MAX, Scan};
use crate::postgres::param::Param;
use crate::postgres::plain_table::is_plain;
use crate::postgres::raw;
use crate::postgres::rewritten;
use crate::postgres::row::{COLUMNS_MAX, Row};
use crate::postgres::statement::waiting;
use crate::postgres::version;
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, PgSqlErrorCode};
use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString};
use std::rc::Rc;

/// Columns of a table, read by the leading columns of one of its indexes.
pub struct Lookup {
    table: &'static CStr,
    key: &'static [KeyColumn],
    /// The columns of the index after the key, where the order of the rows matters.
    order: &'static [KeyColumn],
    /// A column that is not NULL in any row that is looked for: the index may leave out the others.
    present: Option<&'static CStr>,
    /// As in a statement's list: separated by commas, with or without an alias.
    columns: &'static str,
    found: RefCell<Option<Rc<Found>>>,
    /// The table, locked and open for its first walk; null outside of [`Opened`].
    opened: Cell<pg_sys::Relation>,
}

// A backend has one thread.
unsafe impl Sync for Lookup {}

impl Lookup {
    /// These columns of a table of the schema `sendgate`, by this key.
    pub const fn new(table: &'static CStr, key: &'static [KeyColumn], columns: &'static str) -> Lookup {
        let found = RefCell::new(None);
        let opened = Cell::new(std::ptr::null_mut());
        Lookup { table, key, order: &[], present: None, columns, found, opened }
    }

    /// The same, with the rows of a key in the order of the columns that the index has after the key's, for rows in
    /// which `present` is not NULL: the index need not have any others.
    pub const fn ordered(
        table: &'static CStr,
        key: &'static [KeyColumn],
        order: &'static [KeyColumn],
        present: &'static CStr,
        columns: &'static str,
    ) -> Lookup {
        let found = RefCell::new(None);
        let opened = Cell::new(std::ptr::null_mut());
        Lookup { table, key, order, present: Some(present), columns, found, opened }
    }

    /// Every row of that key that is visible now; `each` says whether to go on. Inside [`now`].
    pub fn each(&self, key: &[Param], mut each: impl FnMut(&mut Row) -> bool) {
        let scan = self.scan(pg_sys::AccessShareLock, key);
        while scan.next() && each(&mut scan.row()) {}
        scan.close();
    }

    /// The row of that key that is visible now. Inside [`now`].
    pub fn one<T>(&self, key: &[Param], read: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let (mut read, mut found) = (Some(read), None);
        self.each(key, |row| {
            found = read.take().map(|read| read(row));
            false
        });
        found
    }

    /// Whether the table has no page, so that no row of it is visible to any session: asking costs less than
    /// a walk along an index. Inside [`now`].
    pub fn table_is_empty(&self) -> bool {
        let (_, table) = self.open_table(pg_sys::AccessShareLock);
        unsafe {
            let pages = pg_sys::RelationGetNumberOfBlocksInFork(table, pg_sys::ForkNumber::MAIN_FORKNUM);
            pg_sys::table_close(table, KEEP);
            pages == 0
        }
    }

    /// Holds the row of that key until the transaction ends, as `FOR NO KEY UPDATE` does, and reads it
    /// as it is then.
    ///
    /// # Errors
    /// `SG301` when another session holds it for too long.
    pub fn hold<T>(&self, key: &[Param], read: impl FnOnce(&mut Row) -> T) -> Result<Option<T>> {
        may_hold();
        waiting(|| {
            let this = [self];
            let _opened = Opened(&this);
            self.open(pg_sys::RowShareLock);
            on_snapshot(|| {
                let scan = self.scan(pg_sys::RowShareLock, key);
                // The former holder may have changed the key, which only a DBA does.
                let held = scan.next() && scan.hold(pg_sys::LockWaitPolicy::LockWaitBlock) && scan.matches();
                let answer = held.then(|| read(&mut scan.row()));
                scan.close();
                answer
            })
        })
    }

    /// The same without waiting; none where another session holds it. Inside [`holding`].
    pub fn hold_free<T>(&self, key: &[Param], read: impl FnOnce(&mut Row) -> T) -> Option<T> {
        let scan = self.scan(pg_sys::RowShareLock, key);
        let held = scan.next() && scan.hold(pg_sys::LockWaitPolicy::LockWaitSkip) && scan.matches();
        let answer = held.then(|| read(&mut scan.row()));
        scan.close();
        answer
    }

    fn scan(&self, mode: u32, key: &[Param]) -> Scan {
        self.scan_keeping(false, mode, key)
    }

    fn scan_keeping(&self, entries: bool, mode: u32, key: &[Param]) -> Scan {
        let (found, table) = self.opened().unwrap_or_else(|| self.open_table(mode));
        assert_eq!(key.len(), self.key.len());
        Scan::open(found, table, mode, key, entries)
    }

    /// Locks the table until the transaction ends, and leaves it open for the first walk. Inside of [`Opened`].
    fn open(&self, mode: u32) {
        let (_, table) = self.open_table(mode);
        close(self.opened.replace(table));
    }

    /// The table, if it is open already, and what the catalog says about it by now.
    fn opened(&self) -> Option<(Rc<Found>, pg_sys::Relation)> {
        let table = self.opened.replace(std::ptr::null_mut());
        if table.is_null() {
            return None;
        }
        let found = self.find();
        if unsafe { (*table).rd_id } == found.table {
            return Some((found, table));
        }
        close(table);
        None
    }

    /// The table, locked, and what the catalog says about it under that lock.
    fn open_table(&self, mode: u32) -> (Rc<Found>, pg_sys::Relation) {
        let mode = mode as pg_sys::LOCKMODE;
        loop {
            let found = self.find();
            let table = unsafe { calling(|| raw::try_table_open(found.table, mode)) };
            // Taking the lock is what tells of changes; with it, there are none any more.
            if !table.is_null() && catalog::generation() == found.generation {
                return (found, table);
            }
            if !table.is_null() {
                unsafe { pg_sys::table_close(table, mode) };
            }
        }
    }

    /// Raises the error that a read would, where the table is not as the gate needs it. For a statement that found
    /// no row: row security that is forced, or a table in the place of ours, may have hidden it.
    pub fn must_be_plain(&self) {
        self.find();
    }

    fn find(&self) -> Rc<Found> {
        let generation = catalog::generation();
        if let Some(found) = self.found.borrow().as_ref().filter(|found| found.generation == generation) {
            return Rc::clone(found);
        }
        let found = Rc::new(self.look_up(generation));
        self.found.replace(Some(Rc::clone(&found)));
        found
    }

    fn look_up(&self, generation: u64) -> Found {
        // If this session waited for the table's lock, it may have waited for an upgrade.
        version::check();
        let table = loop {
            let table = catalog::relation(self.table);
            if unsafe { is_plain(table, self.table) } {
                break table;
            }
        };
        let attributes: Vec<pg_sys::AttrNumber> = self
            .columns
            .split(',')
            .map(|name| {
                let name = name.trim();
                attribute(
                    table,
                    &CString::new(name.split_once('.').map_or(name, |(_, name)| name)).unwrap_or_default(),
                )
            })
            .collect();
        assert!(attributes.len() <= COLUMNS_MAX);
        let mut keys = [pg_sys::ScanKeyData::default(); KEY_COLUMNS_MAX];
        let mut key_attributes = [0; KEY_COLUMNS_MAX];
        for (i, column) in self.key.iter().enumerate() {
            key_attributes[i] = attribute(table, column.name);
            unsafe {
                let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
                let (number, null) = ((i + 1) as pg_sys::AttrNumber, pg_sys::Datum::null());
                let strategy = column.strategy as pg_sys::StrategyNumber;
                pg_sys::ScanKeyInit(&mut keys[i], number, strategy, column.compare.into(), null);
                pg_sys::MemoryContextSwitchTo(before);
            }
        }
        let all: Vec<&KeyColumn> = self.key.iter().chain(self.order).collect();
        let order: Vec<pg_sys::AttrNumber> = all.iter().map(|column| attribute(table, column.name)).collect();
        let present = self.present.map(|name| attribute(table, name));
        // A key that asks for more than one value of its last column has them in the index's order.
        let is_range = self.key.iter().any(|column| column.strategy != pg_sys::BTEqualStrategyNumber);
        let in_order = is_range || !self.order.is_empty();
        let index = unsafe { index_on(table, &order, (&all, in_order), present) };
        let index = index.unwrap_or_else(|| {
            let columns: Vec<String> =
                all.iter().map(|column| column.name.to_string_lossy().into_owned()).collect();
            refuse(self.table, &columns)
        });
        catalog::RELATIONS.add(index);
        let read = attributes.iter().chain(&key_attributes).chain(&present);
        let last_attribute = read.copied().max().unwrap_or(0);
        let changed_by = rewritten::changed_by(table);
        let lengths = attributes.iter().map(|&attribute| length(table, attribute)).collect();
        Found {
            generation,
            table,
            changed_by,
            index,
            keys,
            key_attributes,
            attributes,
            lengths,
            present,
            last_attribute,
        }
    }
}

/// Closes a table, if there is one. Its lock stays until the transaction ends.
fn close(table: pg_sys::Relation) {
    if !table.is_null() {
        unsafe { pg_sys::table_close(table, KEEP) };
    }
}

const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;

/// While this lasts, tables that were locked for reads are open for the first walk of each: opening one twice costs as
/// much as a step along an index.
struct Opened<'a>(&'a [&'a Lookup]);

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        for lookup in self.0 {
            let table = lookup.opened.replace(std::ptr::null_mut());
            // After an error PostgreSQL closes it.
            if !std::thread::panicking() {
                close(table);
            }
        }
    }
}

/// No walk along the whole table instead: with a million accounts a call would take seconds, and hold a
/// row meanwhile.
fn refuse(table: &CStr, columns: &[String]) -> ! {
    let (table, columns) = (table.to_string_lossy(), columns.join(", "));
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    let message = format!("no usable index on sendgate.{table} ({columns})");
    ErrorReport::new(code, message, "sendgate")
        .set_detail("It is missing, invalid, in another order, or younger than a transaction that still runs.")
        .set_hint(format!("Create a btree index on sendgate.{table} ({columns}); if there is one, wait for the transactions that are older."))
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}

/// Runs reads of these on a snapshot that is taken now (at READ COMMITTED) and sees what this
/// transaction itself has written. All tables are locked first: another session that had one locked may have
/// rewritten it, and a snapshot from before that would find it empty.
///
/// # Errors
/// `SG301` when another session has a table locked for too long.
pub fn now<T>(of: &[&Lookup], reads: impl FnOnce() -> Result<T>) -> Result<T> {
    let _opened = Opened(of);
    waiting(|| of.iter().for_each(|lookup| lookup.open(pg_sys::AccessShareLock)))?;
    on_snapshot(reads)
}

/// The same for reads that hold rows of one of the tables.
///
/// # Errors
/// As [`now`].
pub fn holding<T>(of: &[&Lookup], held: &Lookup, reads: impl FnOnce() -> Result<T>) -> Result<T> {
    may_hold();
    let all: Vec<&Lookup> = of.iter().copied().chain([held]).collect();
    let _opened = Opened(&all);
    waiting(|| {
        of.iter().for_each(|lookup| lookup.open(pg_sys::AccessShareLock));
        held.open(pg_sys::RowShareLock);
    })?;
    on_snapshot(reads)
}

/// Refuses where no row may be held: in a transaction that only reads.
fn may_hold() {
    const COMMAND: &CStr = c"SELECT FOR NO KEY UPDATE";
    unsafe {
        pg_sys::PreventCommandIfReadOnly(COMMAND.as_ptr());
        pg_sys::PreventCommandIfParallelMode(COMMAND.as_ptr());
    }
}

/// The same as [`now`] on the latest snapshot, also at REPEATABLE READ: for what counts from its commit.
///
/// # Errors
/// As [`now`].
pub fn latest<T>(of: &[&Lookup], reads: impl FnOnce() -> Result<T>) -> Result<T> {
    let _opened = Opened(of);
    waiting(|| of.iter().for_each(|lookup| lookup.open(pg_sys::AccessShareLock)))?;
    on(raw::GetLatestSnapshot, reads)
}

fn on_snapshot<T>(reads: impl FnOnce() -> T) -> T {
    on(raw::GetTransactionSnapshot, reads)
}

fn on<T>(snapshot: unsafe extern "C-unwind" fn() -> pg_sys::Snapshot, reads: impl FnOnce() -> T) -> T {
    unsafe {
        calling(|| {
            raw::CommandCounterIncrement();
            raw::PushActiveSnapshot(snapshot());
        });
        let answer = reads();
        pg_sys::PopActiveSnapshot();
        answer
    }
}

/// How long the values of a column are.
fn length(table: pg_sys::Oid, attribute: pg_sys::AttrNumber) -> i16 {
    unsafe { pg_sys::get_typlen(pg_sys::get_atttype(table, attribute)) }
}

fn attribute(table: pg_sys::Oid, name: &CStr) -> pg_sys::AttrNumber {
    let number = unsafe { pg_sys::get_attnum(table, name.as_ptr()) };
    assert!(number != 0, "the column {} is missing", name.to_string_lossy());
    number
}
