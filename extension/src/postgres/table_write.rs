//! Writes rows of sendgate's own tables below the executor, as logical replication's worker does.
//!
//! A statement that writes many rows gets them as arrays, takes the arrays apart, joins them with the table, and finds
//! each row by its key once more; setting it up costs more than a write of one row. Here a row that was read or locked
//! is written where it lies. What the executor would do is done in its order: lock the table, take a snapshot,
//! check the table's CHECKs, write, enter the row in every index.
//!
//! Nothing else of the executor's is done here, so a table on which there is more to do is left to it: one with
//! a trigger that would fire, with rules, generated columns, or columns of a DBA's, or one that is a partition of
//! another; and everything where a library wants to be asked about rights (pgaudit, sepgsql). Domains are not checked: values are those of other rows
//! of the same domain, or of the closed lists of the decision.

mod checks;
mod target;

use crate::postgres::catalog;
use crate::postgres::caught::calling;
use crate::postgres::param::Param;
use crate::postgres::plain_table::is_plain;
use crate::postgres::raw;
use crate::postgres::rewritten;
use crate::postgres::row::Place;
use crate::postgres::version;
use checks::Checks;
use pgrx::pg_sys;
use std::cell::{OnceCell, RefCell};
use std::ffi::{CStr, CString};
use std::rc::Rc;
use target::Target;

const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;
const WRITES: pg_sys::LOCKMODE = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;

/// Rows that are put into a table together.
const ROWS_TOGETHER: usize = 64;

/// What is done to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// New rows; all columns are named.
    Insert,
    /// New values of the columns that are named.
    Update,
    /// The same, or the end of a row.
    UpdateOrDelete,
}

/// A column by its name, and its type or that of its domain.
pub type Column = (&'static str, pg_sys::Oid);

/// Columns of a table of the schema `sendgate` that are written.
pub struct Table {
    name: &'static CStr,
    command: Command,
    columns: &'static [Column],
    /// The CHECKs that the extension gives the table.
    checks: &'static [&'static CStr],
    /// Triggers of the extension's whose rules the caller keeps.
    kept: &'static [&'static CStr],
    found: RefCell<Option<Rc<Found>>>,
}

// A backend has one thread.
unsafe impl Sync for Table {}

/// What the catalog says about it.
struct Found {
    /// When it said so.
    generation: u64,
    table: pg_sys::Oid,
    /// The transaction that changed the table last.
    changed_by: pg_sys::TransactionId,
    attributes: Vec<pg_sys::AttrNumber>,
    /// Whether each has its type.
    has_types: bool,
    /// Its columns that are not written, once that was asked.
    others: OnceCell<Others>,
    /// Its CHECKs, once they were needed; none of a table with a DBA's own.
    checks: OnceCell<Option<Checks>>,
}

impl Table {
    /// For new rows. These are all columns, also those that stay NULL, and the CHECKs that the extension gives the table.
    pub const fn inserted(
        name: &'static CStr,
        columns: &'static [Column],
        checks: &'static [&'static CStr],
    ) -> Table {
        Table { name, command: Command::Insert, columns, checks, kept: &[], found: RefCell::new(None) }
    }

    /// The same for rows that are there.
    pub const fn changed(
        name: &'static CStr,
        columns: &'static [Column],
        checks: &'static [&'static CStr],
    ) -> Table {
        Table { name, command: Command::Update, columns, checks, kept: &[], found: RefCell::new(None) }
    }

    /// The same for rows that may be deleted.
    pub const fn changed_or_deleted(name: &'static CStr, columns: &'static [Column]) -> Table {
        let (command, checks) = (Command::UpdateOrDelete, &[]);
        Table { name, command, columns, checks, kept: &[], found: RefCell::new(None) }
    }

    /// The same where the caller keeps the rules of these triggers of the extension's itself.
    pub const fn keeping(mut self, triggers: &'static [&'static CStr]) -> Table {
        self.kept = triggers;
        self
    }

    /// Opens it on a snapshot that is taken now (at READ COMMITTED); none where a statement has to do it.
    pub fn open(&self) -> Option<Writing> {
        self.open_on(|| unsafe { pg_sys::GetTransactionSnapshot() }, true)
    }

    /// The same on the latest snapshot, also at REPEATABLE READ.
    pub fn open_on_latest_snapshot(&self) -> Option<Writing> {
        self.open_on(|| unsafe { pg_sys::GetLatestSnapshot() }, false)
    }

    fn open_on(&self, snapshot: impl FnOnce() -> pg_sys::Snapshot, fixed: bool) -> Option<Writing> {
        let (found, table) = self.lock();
        if !unsafe { self.is_ours_alone(table, &found) } {
            unsafe { pg_sys::table_close(table, KEEP) };
            return None;
        }
        unsafe {
            pg_sys::CommandCounterIncrement();
            pg_sys::PushActiveSnapshot(snapshot());
            if fixed && rewritten::has_fixed_snapshot() {
                rewritten::refuse_younger(found.table, found.changed_by, pg_sys::GetActiveSnapshot());
            }
        }
        let checks = found.checks.get_or_init(|| unsafe { Checks::of(table, self.checks) });
        let ready = checks.as_ref().map_or(std::ptr::null_mut(), Checks::ready);
        let is_insert = self.command == Command::Insert;
        let dropped = found.others(table).dropped.clone();
        let target = unsafe { Target::open(table, (&found.attributes, dropped), ready, is_insert) };
        Some(Writing { found, target })
    }

    /// The table, locked, and what the catalog says about it under that lock.
    fn lock(&self) -> (Rc<Found>, pg_sys::Relation) {
        loop {
            let found = self.find();
            let table = unsafe { calling(|| raw::try_table_open(found.table, WRITES)) };
            // Taking the lock is what tells of changes; with it, there are none any more.
            if !table.is_null() && catalog::generation() == found.generation {
                return (found, table);
            }
            if !table.is_null() {
                unsafe { pg_sys::table_close(table, WRITES) };
            }
        }
    }

    fn find(&self) -> Rc<Found> {
        let generation = catalog::generation();
        if let Some(found) = self.found.borrow().as_ref().filter(|found| found.generation == generation) {
            return Rc::clone(found);
        }
        version::check();
        let table = loop {
            let table = catalog::relation(self.name);
            if unsafe { is_plain(table, self.name) } {
                break table;
            }
        };
        let attribute = |(name, _): &Column| {
            let name = CString::new(*name).unwrap_or_default();
            let number = unsafe { pg_sys::get_attnum(table, name.as_ptr()) };
            assert!(number > 0, "the column {} is missing", name.to_string_lossy());
            number
        };
        let attributes: Vec<pg_sys::AttrNumber> = self.columns.iter().map(attribute).collect();
        let has_type = |((_, kind), attribute): (&Column, &pg_sys::AttrNumber)| unsafe {
            pg_sys::getBaseType(pg_sys::get_atttype(table, *attribute)) == *kind
        };
        let has_types = self.columns.iter().zip(&attributes).all(has_type);
        let changed_by = rewritten::changed_by(table);
        let found = Rc::new(Found {
            generation,
            table,
            changed_by,
            attributes,
            has_types,
            others: OnceCell::new(),
            checks: OnceCell::new(),
        });
        self.found.replace(Some(Rc::clone(&found)));
        found
    }

    /// Whether a statement would do no more than is done here.
    unsafe fn is_ours_alone(&self, table: pg_sys::Relation, found: &Found) -> bool {
        unsafe {
            let is_insert = self.command == Command::Insert;
            let columns = (*table).rd_att;
            // A library that wants to be asked, or hears of what is written, by the statement.
            let hook = pg_sys::ExecutorCheckPerms_hook;
            if hook.is_some() || (*(*table).rd_rel).relhasrules || !found.has_types {
                return false;
            }
            // A partition has a constraint of its own beside its CHECKs.
            if (*(*table).rd_rel).relispartition {
                return false;
            }
            if is_insert && found.others(table).are_there {
                return false;
            }
            let rules = (*columns).constr.as_ref();
            if rules.is_some_and(|rules| rules.has_generated_stored) {
                return false;
            }
            let Some(triggers) = (*table).trigdesc.as_ref() else {
                return true;
            };
            let all = std::slice::from_raw_parts(triggers.triggers, triggers.numtriggers as usize);
            let is_kept = |trigger: &pg_sys::Trigger| self.kept.contains(&CStr::from_ptr(trigger.tgname));
            !all.iter().any(|trigger| !is_kept(trigger) && fires(trigger, self.command, &found.attributes))
        }
    }
}

/// Columns of a table beside those that are written.
struct Others {
    are_there: bool,
    /// Those that were dropped, which are none any more.
    dropped: Vec<pg_sys::AttrNumber>,
}

impl Found {
    fn others(&self, table: pg_sys::Relation) -> &Others {
        self.others.get_or_init(|| unsafe { others(table, &self.attributes) })
    }
}

unsafe fn others(table: pg_sys::Relation, attributes: &[pg_sys::AttrNumber]) -> Others {
    const DROPPED: &[u8] = b"........pg.dropped.";
    let (table, all) = unsafe { ((*table).rd_id, 1..=(*(*table).rd_att).natts as pg_sys::AttrNumber) };
    let is_dropped = |attribute: &pg_sys::AttrNumber| {
        let name = unsafe { CStr::from_ptr(pg_sys::get_attname(table, *attribute, false)) };
        name.to_bytes().starts_with(DROPPED)
    };
    let (dropped, others): (Vec<_>, Vec<_>) =
        all.filter(|attribute| !attributes.contains(attribute)).partition(is_dropped);
    Others { are_there: !others.is_empty(), dropped }
}

/// Whether a trigger may fire for such a write of these columns.
unsafe fn fires(trigger: &pg_sys::Trigger, command: Command, attributes: &[pg_sys::AttrNumber]) -> bool {
    // In pg_trigger.tgtype; the headers have them as macros.
    const INSERT: i16 = 1 << 2;
    const DELETE: i16 = 1 << 3;
    const UPDATE: i16 = 1 << 4;
    const DISABLED: u8 = b'D';
    let events = match command {
        Command::Insert => INSERT,
        Command::Update => UPDATE,
        Command::UpdateOrDelete => DELETE | UPDATE,
    };
    if trigger.tgenabled as u8 == DISABLED || trigger.tgtype & events == 0 {
        return false;
    }
    if trigger.tgnattr == 0 || trigger.tgtype & events & !UPDATE != 0 {
        return true;
    }
    let of = unsafe { std::slice::from_raw_parts(trigger.tgattr, trigger.tgnattr as usize) };
    of.iter().any(|column| attributes.contains(column))
}

/// A table that is being written. After an error PostgreSQL closes it.
pub struct Writing {
    found: Rc<Found>,
    target: Target,
}

impl Writing {
    /// Puts in rows, each with a value for every column.
    pub fn insert(&mut self, rows: &[Vec<Param>]) {
        for rows in rows.chunks(ROWS_TOGETHER) {
            unsafe { self.target.insert(&self.found.attributes, rows) };
        }
    }

    /// Reads the row that lies at this place; `false` where it cannot be seen. No other row can lie there by now: the
    /// snapshot of the statement that called us keeps every row that was seen since.
    pub fn read(&mut self, place: Place) -> bool {
        unsafe { self.target.read(place) }
    }

    /// Locks the row that lies at this place, as `FOR UPDATE SKIP LOCKED` does, and reads its latest version;
    /// `false` where another session holds it, or it is gone.
    pub fn lock(&mut self, place: Place) -> bool {
        unsafe { self.target.lock(place) }
    }

    /// Where the row lies that was read.
    pub fn place(&self) -> Place {
        self.target.place()
    }

    /// A column of the row that was read, as it is or was set.
    pub fn value(&self, column: usize) -> Param {
        self.target.value(self.found.attributes[column])
    }

    /// Sets a column of the row that was read.
    pub fn set(&mut self, column: usize, value: Param) {
        self.target.set(self.found.attributes[column], value);
    }

    /// Writes the row that was read with the columns that were set; `false`, and nothing is written, where it is not
    /// the latest version any more.
    pub fn update(&mut self) -> bool {
        unsafe { self.target.update() }
    }

    /// Deletes the row that lies at this place; `false` where it is not the latest version any more.
    pub fn delete(&mut self, place: Place) -> bool {
        unsafe { self.target.delete(place) }
    }

    /// Lets go of the table, and later reads see the rows that were written. The locks stay until the transaction ends, as a statement's do.
    pub fn close(self) {
        unsafe {
            self.target.close();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommandCounterIncrement();
        }
    }
}
