//! A walk along an index to the rows of one key, as the executor does it.

use crate::postgres::caught::calling;
use crate::postgres::index_scan::entry::Start;
use crate::postgres::param::Param;
use crate::postgres::raw;
use crate::postgres::rewritten;
use crate::postgres::row::Row;
use pgrx::pg_sys;
use pgrx::{PgLogLevel, PgSqlErrorCode, ereport};
use std::rc::Rc;

/// Most columns of a key.
pub(super) const KEY_COLUMNS_MAX: usize = 4;

const FORWARD: pg_sys::ScanDirection::Type = pg_sys::ScanDirection::ForwardScanDirection;

/// What the catalog says about a look-up.
pub(super) struct Found {
    /// When it said so.
    pub generation: u64,
    pub table: pg_sys::Oid,
    /// The transaction that changed the table last.
    pub changed_by: pg_sys::TransactionId,
    pub index: pg_sys::Oid,
    /// To be copied, with the arguments put in.
    pub keys: [pg_sys::ScanKeyData; KEY_COLUMNS_MAX],
    /// The key's columns in the table.
    pub key_attributes: [pg_sys::AttrNumber; KEY_COLUMNS_MAX],
    pub attributes: Vec<pg_sys::AttrNumber>,
    /// Of each of them, how long its values are.
    pub lengths: Vec<i16>,
    /// The column that is not NULL in any row that is looked for: the index may have others too.
    pub present: Option<pg_sys::AttrNumber>,
    /// As far as a row has to be taken apart.
    pub last_attribute: pg_sys::AttrNumber,
}

/// A walk along an index. After an error PostgreSQL closes it.
pub(super) struct Scan {
    found: Rc<Found>,
    keys: [pg_sys::ScanKeyData; KEY_COLUMNS_MAX],
    key_columns: usize,
    table: pg_sys::Relation,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
}

impl Scan {
    /// Begins a walk along the index to the rows of this key; the table is open, locked in this mode. Where it keeps
    /// `entries`, they can be compared.
    pub fn open(found: Rc<Found>, table: pg_sys::Relation, mode: u32, key: &[Param], entries: bool) -> Scan {
        let mode = mode as pg_sys::LOCKMODE;
        let mut keys = filled(&found, key);
        let (columns, no_owner) = (key.len() as i32, std::ptr::null_mut());
        let (index, scan, slot) = unsafe {
            let snapshot = pg_sys::GetActiveSnapshot();
            if rewritten::has_fixed_snapshot() {
                rewritten::refuse_younger(found.table, found.changed_by, snapshot);
            }
            calling(|| {
                let index = raw::index_open(found.index, mode);
                let scan = raw::begin_scan(table, index, snapshot, columns);
                (*scan).xs_want_itup = entries;
                raw::index_rescan(scan, keys.as_mut_ptr(), columns, std::ptr::null_mut(), 0);
                (index, scan, raw::table_slot_create(table, no_owner))
            })
        };
        Scan { found, keys, key_columns: key.len(), table, index, scan, slot }
    }

    /// Goes back to the beginning, for the rows of another key.
    pub fn begin_anew(&mut self, key: &[Param]) {
        self.keys = filled(&self.found, key);
        let (keys, columns) = (self.keys.as_mut_ptr(), self.key_columns as i32);
        unsafe { calling(|| raw::index_rescan(self.scan, keys, columns, std::ptr::null_mut(), 0)) }
    }

    /// Goes on to the next visible row that is looked for.
    pub fn next(&self) -> bool {
        unsafe {
            calling(|| {
                while raw::index_getnext_slot(self.scan, FORWARD, self.slot) {
                    if self.is_looked_for() {
                        return true;
                    }
                }
                false
            })
        }
    }

    /// Goes on to the first such row whose entry begins otherwise than the one where it stands, up to the end of that
    /// column, over `most` entries at most: `None` where it is farther; else over how many, and whether there is one.
    /// What is between them is not fetched.
    pub fn beyond(&self, column: u16, most: u32) -> Option<(u32, bool)> {
        let (passed, differs) = unsafe {
            calling(|| {
                let start = Start::of((*self.scan).xs_itup, column, (*self.scan).xs_itupdesc)?;
                for passed in 1..=most {
                    if raw::index_getnext_tid(self.scan, FORWARD).is_null() {
                        return Some((passed, None));
                    }
                    if !start.is_of((*self.scan).xs_itup) {
                        let is_found = raw::index_fetch_heap(self.scan, self.slot) && self.is_looked_for();
                        return Some((passed, Some(is_found)));
                    }
                }
                None
            })
        }?;
        // Behind a row that is not visible, the next one is as good.
        Some((passed, differs.is_some_and(|is_found| is_found || self.next())))
    }

    /// Takes the row that was fetched apart, and says whether it is looked for. Inside [`calling`].
    unsafe fn is_looked_for(&self) -> bool {
        let present = self.found.present.map(|attribute| (attribute - 1) as usize);
        unsafe {
            raw::slot_getsomeattrs_int(self.slot, i32::from(self.found.last_attribute));
            present.is_none_or(|at| !*(*self.slot).tts_isnull.add(at))
        }
    }

    /// Locks the current row, waits for its holder or leaves it to him, and goes on to its latest version; `false` when
    /// it is gone or left. As the executor's LockRows.
    pub fn hold(&self, policy: pg_sys::LockWaitPolicy::Type) -> bool {
        let mut flags = pg_sys::TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
        let fixed_snapshot = unsafe { pg_sys::XactIsoLevel } >= pg_sys::XACT_REPEATABLE_READ as i32;
        if !fixed_snapshot {
            flags |= pg_sys::TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
        }
        let mut failure = pg_sys::TM_FailureData::default();
        let outcome = unsafe {
            let mut place = (*self.slot).tts_tid;
            let (snapshot, command) = (pg_sys::GetActiveSnapshot(), pg_sys::GetCurrentCommandId(true));
            let mode = pg_sys::LockTupleMode::LockTupleNoKeyExclusive;
            let (clear, lock) = ((*(*self.slot).tts_ops).clear, (*(*self.table).rd_tableam).tuple_lock);
            let (clear, lock) = (method(clear), method(lock));
            calling(|| {
                clear(self.slot);
                let flags = flags as pg_sys::uint8;
                let outcome = lock(
                    self.table,
                    &mut place,
                    snapshot,
                    self.slot,
                    command,
                    mode,
                    policy,
                    flags,
                    &mut failure,
                );
                if outcome == pg_sys::TM_Result::TM_Ok {
                    raw::slot_getsomeattrs_int(self.slot, i32::from(self.found.last_attribute));
                }
                outcome
            })
        };
        match outcome {
            pg_sys::TM_Result::TM_Ok => true,
            pg_sys::TM_Result::TM_SelfModified | pg_sys::TM_Result::TM_WouldBlock => false,
            pg_sys::TM_Result::TM_Deleted if !fixed_snapshot => false,
            pg_sys::TM_Result::TM_Updated | pg_sys::TM_Result::TM_Deleted => {
                ereport!(
                    PgLogLevel::ERROR,
                    PgSqlErrorCode::ERRCODE_T_R_SERIALIZATION_FAILURE,
                    "could not serialize access due to concurrent update"
                );
                unreachable!("an ERROR does not return")
            }
            other => panic!("locking a row gave {other}"),
        }
    }

    /// Whether the row where the walk stands has the key.
    pub fn matches(&self) -> bool {
        let keys = self.keys[..self.key_columns].iter().zip(&self.found.key_attributes);
        unsafe {
            for (key, attribute) in keys {
                let at = (*attribute - 1) as usize;
                let value = *(*self.slot).tts_values.add(at);
                let mut function = key.sk_func;
                let equal =
                    pg_sys::FunctionCall2Coll(&mut function, key.sk_collation, value, key.sk_argument);
                if *(*self.slot).tts_isnull.add(at) || equal.value() == 0 {
                    return false;
                }
            }
        }
        true
    }

    /// The row where the walk stands. Its texts lie in the page and are gone with the next step.
    pub fn row(&self) -> Row {
        let (slot, last) = (self.slot, self.found.last_attribute);
        Row::filled(self.found.attributes.len(), |values, nulls, lengths| unsafe {
            lengths.copy_from_slice(&self.found.lengths);
            debug_assert!((*slot).tts_nvalid >= last);
            for (i, &attribute) in self.found.attributes.iter().enumerate() {
                if attribute < 0 {
                    let system_column = method((*(*slot).tts_ops).getsysattr);
                    let null = &mut nulls[i];
                    values[i] = calling(|| system_column(slot, i32::from(attribute), null));
                } else {
                    let at = (attribute - 1) as usize;
                    (values[i], nulls[i]) = (*(*slot).tts_values.add(at), *(*slot).tts_isnull.add(at));
                }
            }
        })
    }

    /// Lets go of page and index; the locks stay until the transaction ends, as a statement's do.
    pub fn close(self) {
        const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;
        unsafe {
            calling(|| {
                raw::ExecDropSingleTupleTableSlot(self.slot);
                raw::index_endscan(self.scan);
                raw::index_close(self.index, KEEP);
                raw::table_close(self.table, KEEP);
            });
        }
    }
}

/// The keys of a look-up with its arguments.
fn filled(found: &Found, key: &[Param]) -> [pg_sys::ScanKeyData; KEY_COLUMNS_MAX] {
    let mut keys = found.keys;
    for (scan_key, argument) in keys.iter_mut().zip(key) {
        match argument {
            Some(datum) => scan_key.sk_argument = *datum,
            None => scan_key.sk_flags |= pg_sys::SK_ISNULL as i32,
        }
    }
    keys
}

/// A method that every table and slot has.
fn method<T>(method: Option<T>) -> T {
    method.expect("PostgreSQL left a method out")
}
