//! Answers of composite types: one row, or a set of rows that PostgreSQL materializes.

use crate::postgres::catalog;
use crate::postgres::function::Args;
use crate::postgres::param::Param;
use pgrx::pg_sys;
use std::cell::Cell;
use std::ffi::CStr;

/// A composite type of the schema `sendgate`. Its description is copied once per backend, and again
/// when the type may have changed: with the extension dropped and created anew.
pub struct CompositeType {
    name: &'static CStr,
    found: Cell<(u64, pg_sys::TupleDesc)>,
}

// A backend has one thread.
unsafe impl Sync for CompositeType {}

impl CompositeType {
    /// The type of this name.
    pub const fn new(name: &'static CStr) -> CompositeType {
        CompositeType { name, found: Cell::new((0, std::ptr::null_mut())) }
    }

    /// A row of it, in the current memory context.
    pub fn row(&self, fields: &[Param]) -> pg_sys::Datum {
        let generation = catalog::generation();
        let (known, mut descriptor) = self.found.get();
        if known != generation {
            let outdated = descriptor;
            descriptor = unsafe { self.describe() };
            self.found.set((generation, descriptor));
            if !outdated.is_null() {
                unsafe { pg_sys::FreeTupleDesc(outdated) };
            }
        }
        unsafe { form(descriptor, fields) }
    }

    unsafe fn describe(&self) -> pg_sys::TupleDesc {
        unsafe {
            let type_oid = pg_sys::get_rel_type_id(catalog::relation(self.name));
            let shared = pg_sys::lookup_rowtype_tupdesc(type_oid, -1);
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let descriptor = pg_sys::CreateTupleDescCopy(shared);
            pg_sys::MemoryContextSwitchTo(before);
            if (*shared).tdrefcount >= 0 {
                pg_sys::DecrTupleDescRefCount(shared);
            }
            descriptor
        }
    }
}

/// A row of an anonymous record type, for functions with OUT arguments that are seldom called: PostgreSQL
/// puts their description together anew for every call, which costs a tenth of a `breaker_check`.
pub struct RecordType {
    columns: &'static [(&'static CStr, pg_sys::Oid)],
    descriptor: Cell<pg_sys::TupleDesc>,
}

// A backend has one thread.
unsafe impl Sync for RecordType {}

impl RecordType {
    /// A record of these columns.
    pub const fn new(columns: &'static [(&'static CStr, pg_sys::Oid)]) -> RecordType {
        RecordType { columns, descriptor: Cell::new(std::ptr::null_mut()) }
    }

    /// A row of it, in the current memory context.
    pub fn row(&self, fields: &[Param]) -> pg_sys::Datum {
        unsafe {
            if self.descriptor.get().is_null() {
                self.descriptor.set(self.describe());
            }
            form(self.descriptor.get(), fields)
        }
    }

    unsafe fn describe(&self) -> pg_sys::TupleDesc {
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
            let descriptor = pg_sys::CreateTemplateTupleDesc(self.columns.len() as i32);
            for (i, (name, type_oid)) in self.columns.iter().enumerate() {
                let number = (i + 1) as pg_sys::AttrNumber;
                pg_sys::TupleDescInitEntry(descriptor, number, name.as_ptr(), *type_oid, -1, 0);
            }
            let descriptor = pg_sys::BlessTupleDesc(descriptor);
            pg_sys::MemoryContextSwitchTo(before);
            descriptor
        }
    }
}

/// Most columns of an answer.
const FIELDS_MAX: usize = 16;

unsafe fn form(descriptor: pg_sys::TupleDesc, fields: &[Param]) -> pg_sys::Datum {
    let mut values = [pg_sys::Datum::null(); FIELDS_MAX];
    let mut nulls = [true; FIELDS_MAX];
    for (i, field) in fields.iter().enumerate() {
        (values[i], nulls[i]) = (field.unwrap_or(pg_sys::Datum::null()), field.is_none());
    }
    unsafe {
        assert_eq!((*descriptor).natts as usize, fields.len(), "the SQL type has other fields");
        let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)
    }
}

/// Returns these rows as the function's set, in the row type that its SQL signature names.
pub fn return_rows<T>(args: &Args, rows: &[T], fields: impl Fn(&T) -> Vec<Param>) {
    unsafe {
        pg_sys::InitMaterializedSRF(args.0, 0);
        let info = (*args.0).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let (store, descriptor) = ((*info).setResult, (*info).setDesc);
        for row in rows {
            let fields = fields(row);
            let mut values: Vec<pg_sys::Datum> =
                fields.iter().map(|field| field.unwrap_or(pg_sys::Datum::null())).collect();
            let mut nulls: Vec<bool> = fields.iter().map(Option::is_none).collect();
            // A function that returns rows of a table returns a DBA's own columns with them: empty.
            let columns = (*descriptor).natts as usize;
            assert!(fields.len() <= columns, "the SQL type has fewer columns");
            values.resize(columns, pg_sys::Datum::null());
            nulls.resize(columns, true);
            pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
    }
}
