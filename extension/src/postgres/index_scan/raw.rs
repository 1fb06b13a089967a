//! PostgreSQL's functions without pgrx's boundary around each of them: a step of a walk is several
//! calls behind one boundary, which costs as much as such a call. Nothing of Rust's may be alive there
//! that needs dropping.
#![allow(missing_docs)]

use pgrx::pg_sys::*;

unsafe extern "C-unwind" {
    pub fn index_open(index: Oid, mode: LOCKMODE) -> Relation;
    pub fn index_close(index: Relation, mode: LOCKMODE);
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
