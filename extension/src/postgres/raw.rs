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
    pub fn index_getnext_tid(scan: IndexScanDesc, direction: ScanDirection::Type) -> ItemPointer;
    pub fn index_fetch_heap(scan: IndexScanDesc, slot: *mut TupleTableSlot) -> bool;
    pub fn nocache_index_getattr(entry: IndexTuple, column: c_int, columns: TupleDesc) -> Datum;
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

// For rows that are written below the executor.
unsafe extern "C-unwind" {
    pub fn CreateExecutorState() -> *mut EState;
    pub fn FreeExecutorState(state: *mut EState);
    pub fn MakePerTupleExprContext(state: *mut EState) -> *mut ExprContext;
    pub fn InitResultRelInfo(
        target: *mut ResultRelInfo,
        table: Relation,
        entry: Index,
        root: *mut ResultRelInfo,
        instrument: c_int,
    );
    pub fn ExecOpenIndices(target: *mut ResultRelInfo, speculative: bool);
    pub fn ExecCloseIndices(target: *mut ResultRelInfo);
    pub fn ExecConstraints(target: *mut ResultRelInfo, slot: *mut TupleTableSlot, state: *mut EState);
    pub fn MakeSingleTupleTableSlot(
        columns: TupleDesc,
        kind: *const TupleTableSlotOps,
    ) -> *mut TupleTableSlot;
    pub fn ExecStoreVirtualTuple(slot: *mut TupleTableSlot) -> *mut TupleTableSlot;
    pub fn stringToNode(text: *const c_char) -> *mut std::ffi::c_void;
    pub fn ExecPrepareExpr(expression: *mut Expr, state: *mut EState) -> *mut ExprState;
    pub fn CheckCmdReplicaIdentity(table: Relation, command: CmdType::Type);
    pub fn PreventCommandIfReadOnly(command: *const c_char);
    pub fn PreventCommandIfParallelMode(command: *const c_char);
    pub fn MemoryContextReset(context: MemoryContext);
    pub fn palloc0(bytes: usize) -> *mut std::ffi::c_void;
    pub fn bms_add_member(set: *mut Bitmapset, member: c_int) -> *mut Bitmapset;
    pub fn list_make1_impl(kind: NodeTag, cell: ListCell) -> *mut List;
    #[cfg(feature = "pg15")]
    fn ExecInsertIndexTuples(
        target: *mut ResultRelInfo,
        slot: *mut TupleTableSlot,
        state: *mut EState,
        update: bool,
        no_duplicate_error: bool,
        conflict: *mut bool,
        arbiters: *mut List,
    ) -> *mut List;
    #[cfg(not(feature = "pg15"))]
    fn ExecInsertIndexTuples(
        target: *mut ResultRelInfo,
        slot: *mut TupleTableSlot,
        state: *mut EState,
        update: bool,
        no_duplicate_error: bool,
        conflict: *mut bool,
        arbiters: *mut List,
        only_summarizing: bool,
    ) -> *mut List;
}

/// Makes this the memory of what follows; the memory before.
pub unsafe fn switch_to(context: MemoryContext) -> MemoryContext {
    unsafe {
        let before = CurrentMemoryContext;
        CurrentMemoryContext = context;
        before
    }
}

/// Which indexes a new version of a row needs entries in, as the table's method says it.
#[cfg(feature = "pg15")]
pub type UpdateIndexes = bool;
#[cfg(not(feature = "pg15"))]
pub type UpdateIndexes = TU_UpdateIndexes::Type;

/// Before the table's method says it.
pub const NO_INDEXES: UpdateIndexes = unsafe { std::mem::zeroed() };

/// Gives an executor's target its table's CHECKs.
pub unsafe fn give_checks(target: *mut ResultRelInfo, ready: *mut *mut ExprState) {
    unsafe {
        #[cfg(feature = "pg18")]
        {
            (*target).ri_CheckConstraintExprs = ready;
        }
        #[cfg(not(feature = "pg18"))]
        {
            (*target).ri_ConstraintExprs = ready;
        }
    }
}

/// The index entries of a row that was inserted.
pub unsafe fn enter_inserted(target: *mut ResultRelInfo, slot: *mut TupleTableSlot, state: *mut EState) {
    let (no_conflict, no_arbiters) = (std::ptr::null_mut(), std::ptr::null_mut());
    #[cfg(feature = "pg15")]
    unsafe {
        ExecInsertIndexTuples(target, slot, state, false, false, no_conflict, no_arbiters)
    };
    #[cfg(not(feature = "pg15"))]
    unsafe {
        ExecInsertIndexTuples(target, slot, state, false, false, no_conflict, no_arbiters, false)
    };
}

/// The index entries of a new version of a row.
pub unsafe fn enter_updated(
    target: *mut ResultRelInfo,
    slot: *mut TupleTableSlot,
    state: *mut EState,
    needed: UpdateIndexes,
) {
    let (no_conflict, no_arbiters) = (std::ptr::null_mut(), std::ptr::null_mut());
    #[cfg(feature = "pg15")]
    unsafe {
        debug_assert!(needed);
        ExecInsertIndexTuples(target, slot, state, true, false, no_conflict, no_arbiters)
    };
    #[cfg(not(feature = "pg15"))]
    unsafe {
        let only_summarizing = needed == TU_UpdateIndexes::TU_Summarizing;
        ExecInsertIndexTuples(target, slot, state, true, false, no_conflict, no_arbiters, only_summarizing)
    };
}

/// Notes which columns an executor's target writes.
pub unsafe fn note_updated(entry: *mut RangeTblEntry, state: *mut EState, columns: *mut Bitmapset) {
    unsafe {
        #[cfg(feature = "pg15")]
        {
            (*entry).updatedCols = columns;
            let _ = state;
        }
        #[cfg(not(feature = "pg15"))]
        {
            let rights = palloc0(size_of::<RTEPermissionInfo>()).cast::<RTEPermissionInfo>();
            (*rights).type_ = NodeTag::T_RTEPermissionInfo;
            (*rights).relid = (*entry).relid;
            (*rights).updatedCols = columns;
            (*entry).perminfoindex = 1;
            (*state).es_rteperminfos =
                list_make1_impl(NodeTag::T_List, ListCell { ptr_value: rights.cast() });
        }
    }
}
