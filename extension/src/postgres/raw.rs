//! PostgreSQL's functions without pgrx's boundary around each of them. For [`crate::postgres::caught::calling`], which
//! catches an error whole, and where several calls behind one boundary cost less than a boundary each; and for hooks, over
//! which an error passes as it is. Nothing of Rust's may be alive there that needs dropping.
#![allow(missing_docs)]

use pgrx::pg_sys::*;
use std::ffi::{c_char, c_int, c_long};

unsafe extern "C-unwind" {
    pub fn index_open(index: Oid, mode: LOCKMODE) -> Relation;
    pub fn index_close(index: Relation, mode: LOCKMODE);
    pub fn try_table_open(table: Oid, mode: LOCKMODE) -> Relation;
    pub fn try_relation_open(relation: Oid, mode: LOCKMODE) -> Relation;
    pub fn LockRelationOid(relation: Oid, mode: LOCKMODE);
    pub fn LockDatabaseObject(class: Oid, object: Oid, part: uint16, mode: LOCKMODE);
    pub fn table_close(table: Relation, mode: LOCKMODE);
    pub fn table_slot_create(table: Relation, list: *mut *mut List) -> *mut TupleTableSlot;
    pub fn ExecDropSingleTupleTableSlot(slot: *mut TupleTableSlot);
    pub fn slot_getsomeattrs_int(slot: *mut TupleTableSlot, last: i32);
    pub fn index_rescan(scan: IndexScanDesc, keys: ScanKey, columns: i32, order: ScanKey, orders: i32);
    pub fn index_getnext_slot(
        scan: IndexScanDesc,
        direction: ScanDirection::Type,
        slot: *mut TupleTableSlot,
    ) -> bool;
    pub fn index_endscan(scan: IndexScanDesc);
    pub fn find_inheritance_children(parent: Oid, mode: LOCKMODE) -> *mut List;
    pub fn SPI_prepare_cursor(
        sql: *const c_char,
        count: c_int,
        types: *mut Oid,
        options: c_int,
    ) -> SPIPlanPtr;
    pub fn SPI_plan_get_cached_plan(plan: SPIPlanPtr) -> *mut CachedPlan;
    pub fn SPI_execute_plan(
        plan: SPIPlanPtr,
        values: *mut Datum,
        nulls: *const c_char,
        read_only: bool,
        limit: c_long,
    ) -> c_int;
    pub fn SPI_execute_snapshot(
        plan: SPIPlanPtr,
        values: *mut Datum,
        nulls: *const c_char,
        snapshot: Snapshot,
        crosscheck: Snapshot,
        read_only: bool,
        fire_triggers: bool,
        limit: c_long,
    ) -> c_int;
    pub fn OidInputFunctionCall(function: Oid, text: *mut c_char, parameter: Oid, modifier: int32) -> Datum;
    pub fn OidOutputFunctionCall(function: Oid, value: Datum) -> *mut c_char;
    pub fn standard_planner(
        query: *mut Query,
        text: *const c_char,
        options: c_int,
        params: ParamListInfo,
    ) -> *mut PlannedStmt;
    pub fn standard_ExecutorStart(query: *mut QueryDesc, flags: c_int);
    pub fn AfterTriggerFireDeferred();
    pub fn CommandCounterIncrement();
    pub fn GetTransactionSnapshot() -> Snapshot;
    pub fn GetLatestSnapshot() -> Snapshot;
    pub fn PushActiveSnapshot(snapshot: Snapshot);
    pub fn PreCommit_Portals(is_prepare: bool) -> bool;
    #[cfg(feature = "pg18")]
    fn index_beginscan(
        table: Relation,
        index: Relation,
        snapshot: Snapshot,
        instrument: *mut IndexScanInstrumentation,
        columns: i32,
        orders: i32,
    ) -> IndexScanDesc;
    #[cfg(not(feature = "pg18"))]
    fn index_beginscan(
        table: Relation,
        index: Relation,
        snapshot: Snapshot,
        columns: i32,
        orders: i32,
    ) -> IndexScanDesc;
}

pub unsafe fn begin_scan(
    table: Relation,
    index: Relation,
    snapshot: Snapshot,
    columns: i32,
) -> IndexScanDesc {
    #[cfg(feature = "pg18")]
    return unsafe { index_beginscan(table, index, snapshot, std::ptr::null_mut(), columns, 0) };
    #[cfg(not(feature = "pg18"))]
    return unsafe { index_beginscan(table, index, snapshot, columns, 0) };
}
