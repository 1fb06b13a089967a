//! The executor's own functions for one table, without a plan.

use crate::postgres::caught::calling;
use crate::postgres::param::Param;
use crate::postgres::raw;
use crate::postgres::rewritten;
use crate::postgres::row::Place;
use crate::postgres::table_write::{KEEP, WRITES};
use pgrx::pg_sys;
use pgrx::{PgLogLevel, PgSqlErrorCode, ereport};
use std::ffi::CStr;
use std::ptr::null_mut;

/// A table with all that its writes need. Lives in the memory of its executor state.
pub(super) struct Target {
    table: pg_sys::Relation,
    state: *mut pg_sys::EState,
    /// The memory of one row.
    row: pg_sys::MemoryContext,
    info: *mut pg_sys::ResultRelInfo,
    /// The row as it lies in the table; null where rows are put in.
    old: *mut pg_sys::TupleTableSlot,
    /// The row as it is going to be.
    new: Vec<*mut pg_sys::TupleTableSlot>,
    /// Columns that were dropped.
    dropped: Vec<pg_sys::AttrNumber>,
    command: pg_sys::CommandId,
    /// Whether its indexes are open: most updates enter no row in any.
    has_indexes: bool,
}

impl Target {
    /// On the active snapshot; the table is locked.
    pub unsafe fn open(
        table: pg_sys::Relation,
        (columns, dropped): (&[pg_sys::AttrNumber], Vec<pg_sys::AttrNumber>),
        checks: *mut *mut pg_sys::ExprState,
        is_insert: bool,
    ) -> Target {
        const COMMAND: &CStr = c"UPDATE";
        const LOWEST: i32 = pg_sys::FirstLowInvalidHeapAttributeNumber;
        unsafe {
            let command = pg_sys::GetCurrentCommandId(true);
            let (of_insert, of_update) = (pg_sys::CmdType::CMD_INSERT, pg_sys::CmdType::CMD_UPDATE);
            let (first, count) = (columns.as_ptr(), columns.len());
            let (state, row, info, old, new) = calling(|| {
                raw::PreventCommandIfReadOnly(COMMAND.as_ptr());
                raw::PreventCommandIfParallelMode(COMMAND.as_ptr());
                raw::CheckCmdReplicaIdentity(table, if is_insert { of_insert } else { of_update });
                let state = raw::CreateExecutorState();
                let before = raw::switch_to((*state).es_query_cxt);
                (*state).es_snapshot = pg_sys::GetActiveSnapshot();
                (*state).es_output_cid = command;
                let entry = raw::palloc0(size_of::<pg_sys::RangeTblEntry>()).cast::<pg_sys::RangeTblEntry>();
                (*entry).type_ = pg_sys::NodeTag::T_RangeTblEntry;
                (*entry).rtekind = pg_sys::RTEKind::RTE_RELATION;
                (*entry).relid = (*table).rd_id;
                (*entry).relkind = (*(*table).rd_rel).relkind;
                (*entry).rellockmode = WRITES;
                let cell = pg_sys::ListCell { ptr_value: entry.cast() };
                (*state).es_range_table = raw::list_make1_impl(pg_sys::NodeTag::T_List, cell);
                (*state).es_range_table_size = 1;
                // By these PostgreSQL tells which entries of an index are only for a new version of a row.
                let mut written = null_mut();
                if !is_insert {
                    for i in 0..count {
                        written = raw::bms_add_member(written, i32::from(*first.add(i)) - LOWEST);
                    }
                }
                raw::note_updated(entry, state, written);
                let info = raw::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
                (*info).type_ = pg_sys::NodeTag::T_ResultRelInfo;
                raw::InitResultRelInfo(info, table, 1, null_mut(), 0);
                raw::give_checks(info, checks);
                let row = (*raw::MakePerTupleExprContext(state)).ecxt_per_tuple_memory;
                let old = if is_insert { null_mut() } else { raw::table_slot_create(table, null_mut()) };
                let new = empty_row(table);
                raw::switch_to(before);
                (state, row, info, old, new)
            });
            Target { table, state, row, info, old, new: vec![new], dropped, command, has_indexes: false }
        }
    }

    unsafe fn open_indexes(&mut self) {
        if !std::mem::replace(&mut self.has_indexes, true) {
            unsafe {
                let (info, memory) = (self.info, (*self.state).es_query_cxt);
                calling(|| {
                    let before = raw::switch_to(memory);
                    raw::ExecOpenIndices(info, false);
                    raw::switch_to(before);
                });
            }
        }
    }

    /// Puts in some rows together.
    pub unsafe fn insert(&mut self, columns: &[pg_sys::AttrNumber], rows: &[Vec<Param>]) {
        unsafe {
            self.open_indexes();
            while self.new.len() < rows.len() {
                let (table, memory) = (self.table, (*self.state).es_query_cxt);
                self.new.push(calling(|| {
                    let before = raw::switch_to(memory);
                    let slot = empty_row(table);
                    raw::switch_to(before);
                    slot
                }));
            }
            for (slot, row) in self.new.iter().zip(rows) {
                assert_eq!(row.len(), columns.len());
                for (attribute, value) in columns.iter().zip(row) {
                    put(*slot, *attribute, *value);
                }
            }
            let (table, info, state, memory) = (self.table, self.info, self.state, self.row);
            let (slots, count, command) = (self.new.as_mut_ptr(), rows.len(), self.command);
            let methods = (*table).rd_tableam;
            let (one, many) = (method((*methods).tuple_insert), method((*methods).multi_insert));
            let (clear, is_checked) =
                (method(pg_sys::TTSOpsVirtual.clear), !(*(*table).rd_att).constr.is_null());
            calling(|| {
                for i in 0..count {
                    raw::ExecStoreVirtualTuple(*slots.add(i));
                    if is_checked {
                        raw::ExecConstraints(info, *slots.add(i), state);
                    }
                }
                // Writing many rows at once leaves copies of them behind.
                let before = raw::switch_to(memory);
                if count == 1 {
                    one(table, *slots, command, 0, null_mut());
                } else {
                    many(table, slots, count as i32, command, 0, null_mut());
                }
                raw::switch_to(before);
                for i in 0..count {
                    raw::MemoryContextReset(memory);
                    raw::enter_inserted(info, *slots.add(i), state);
                    clear(*slots.add(i));
                }
                raw::MemoryContextReset(memory);
            });
        }
    }

    /// Reads the row that lies there, if the snapshot sees it.
    pub unsafe fn read(&mut self, place: Place) -> bool {
        unsafe {
            let (mut place, table, old) = (place.0, self.table, self.old);
            let fetch = method((*(*table).rd_tableam).tuple_fetch_row_version);
            let (clear, snapshot) = (method((*(*old).tts_ops).clear), pg_sys::GetActiveSnapshot());
            let found = calling(|| {
                clear(old);
                fetch(table, &mut place, snapshot, old)
            });
            if found {
                self.take_over();
            }
            found
        }
    }

    /// Locks the row that lies there, without waiting, and reads it.
    pub unsafe fn lock(&mut self, place: Place) -> bool {
        let fixed_snapshot = rewritten::has_fixed_snapshot();
        let mut flags = pg_sys::TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS;
        if !fixed_snapshot {
            flags |= pg_sys::TUPLE_LOCK_FLAG_FIND_LAST_VERSION;
        }
        let mut failure = pg_sys::TM_FailureData::default();
        let outcome = unsafe {
            let (mut place, table, old) = (place.0, self.table, self.old);
            let (snapshot, command) = (pg_sys::GetActiveSnapshot(), self.command);
            let (mode, policy) =
                (pg_sys::LockTupleMode::LockTupleExclusive, pg_sys::LockWaitPolicy::LockWaitSkip);
            let lock = method((*(*table).rd_tableam).tuple_lock);
            let clear = method((*(*old).tts_ops).clear);
            calling(|| {
                clear(old);
                lock(table, &mut place, snapshot, old, command, mode, policy, flags as u8, &mut failure)
            })
        };
        match outcome {
            pg_sys::TM_Result::TM_Ok => {
                unsafe { self.take_over() };
                true
            }
            pg_sys::TM_Result::TM_WouldBlock | pg_sys::TM_Result::TM_SelfModified => false,
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

    /// Begins the new row as a copy of the old one.
    unsafe fn take_over(&mut self) {
        unsafe {
            let (old, new) = (self.old, self.new[0]);
            let columns = (*(*self.table).rd_att).natts;
            let clear = method((*(*new).tts_ops).clear);
            calling(|| {
                clear(new);
                raw::slot_getsomeattrs_int(old, columns);
            });
            std::ptr::copy_nonoverlapping((*old).tts_values, (*new).tts_values, columns as usize);
            std::ptr::copy_nonoverlapping((*old).tts_isnull, (*new).tts_isnull, columns as usize);
            for attribute in &self.dropped {
                put(new, *attribute, None);
            }
        }
    }

    pub fn place(&self) -> Place {
        Place(unsafe { (*self.old).tts_tid })
    }

    pub fn value(&self, attribute: pg_sys::AttrNumber) -> Param {
        let at = (attribute - 1) as usize;
        unsafe {
            let new = self.new[0];
            (!*(*new).tts_isnull.add(at)).then(|| *(*new).tts_values.add(at))
        }
    }

    pub fn set(&mut self, attribute: pg_sys::AttrNumber, value: Param) {
        unsafe { put(self.new[0], attribute, value) }
    }

    /// Writes the new row in the place of the old one, if that is the latest.
    pub unsafe fn update(&mut self) -> bool {
        let mut failure = pg_sys::TM_FailureData::default();
        let mut mode = pg_sys::LockTupleMode::LockTupleNoKeyExclusive;
        let mut needed = raw::NO_INDEXES;
        unsafe {
            let (table, info, state, memory) = (self.table, self.info, self.state, self.row);
            let (old, new, command) = (self.old, self.new[0], self.command);
            let (update, snapshot) =
                (method((*(*table).rd_tableam).tuple_update), pg_sys::GetActiveSnapshot());
            let is_checked = !(*(*table).rd_att).constr.is_null();
            let outcome = calling(|| {
                raw::ExecStoreVirtualTuple(new);
                if is_checked {
                    raw::ExecConstraints(info, new, state);
                }
                let (place, no_crosscheck) = (&mut (*old).tts_tid, null_mut());
                let outcome = update(
                    table,
                    place,
                    new,
                    command,
                    snapshot,
                    no_crosscheck,
                    true,
                    &mut failure,
                    &mut mode,
                    &mut needed,
                );
                raw::MemoryContextReset(memory);
                outcome
            });
            if outcome == pg_sys::TM_Result::TM_Ok && needed != raw::NO_INDEXES {
                self.open_indexes();
                calling(|| {
                    raw::enter_updated(info, new, state, needed);
                    raw::MemoryContextReset(memory);
                });
            }
            outcome == pg_sys::TM_Result::TM_Ok
        }
    }

    /// Deletes the row that lies there, if that is the latest.
    pub unsafe fn delete(&mut self, place: Place) -> bool {
        let mut failure = pg_sys::TM_FailureData::default();
        unsafe {
            let (mut place, table, command) = (place.0, self.table, self.command);
            let (delete, snapshot) =
                (method((*(*table).rd_tableam).tuple_delete), pg_sys::GetActiveSnapshot());
            let outcome = calling(|| {
                // A publication may publish deletes alone.
                raw::CheckCmdReplicaIdentity(table, pg_sys::CmdType::CMD_DELETE);
                let no_crosscheck = null_mut();
                delete(table, &mut place, command, snapshot, no_crosscheck, true, &mut failure, false)
            });
            outcome == pg_sys::TM_Result::TM_Ok
        }
    }

    /// Lets go of pages, indexes and memory.
    pub unsafe fn close(self) {
        unsafe {
            let (table, info, state, old) = (self.table, self.info, self.state, self.old);
            let (new, count) = (self.new.as_ptr(), self.new.len());
            calling(|| {
                if !old.is_null() {
                    raw::ExecDropSingleTupleTableSlot(old);
                }
                for i in 0..count {
                    raw::ExecDropSingleTupleTableSlot(*new.add(i));
                }
                raw::ExecCloseIndices(info);
                raw::FreeExecutorState(state);
                raw::table_close(table, KEEP);
            });
        }
    }
}

/// A row with NULL in each column, the dropped ones too.
unsafe fn empty_row(table: pg_sys::Relation) -> *mut pg_sys::TupleTableSlot {
    unsafe {
        let columns = (*table).rd_att;
        let slot = raw::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsVirtual);
        std::slice::from_raw_parts_mut((*slot).tts_isnull, (*columns).natts as usize).fill(true);
        // A CHECK may ask for it before the row lies anywhere.
        (*slot).tts_tableOid = (*table).rd_id;
        slot
    }
}

unsafe fn put(slot: *mut pg_sys::TupleTableSlot, attribute: pg_sys::AttrNumber, value: Param) {
    let at = (attribute - 1) as usize;
    unsafe {
        *(*slot).tts_isnull.add(at) = value.is_none();
        *(*slot).tts_values.add(at) = value.unwrap_or(pg_sys::Datum::null());
    }
}

/// A method that every table and slot has.
fn method<T>(method: Option<T>) -> T {
    method.expect("PostgreSQL left a method out")
}
