//! The answer of `reserve` and `preview` as a row of the type `sendgate.decision`.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{Counts, Refusal};
use sendgate_decision::names::Reason;

use crate::catalog;
use crate::statement::{IntoParam, Param};

/// The answer of the gate, field by field as in SQL.
pub struct Decision {
    /// The operation that holds the slot; none when nothing was taken.
    pub operation: Option<[u8; 16]>,
    /// Whether to go on.
    pub proceed: bool,
    /// Why not.
    pub reason: Option<Reason>,
    /// When the refusing rule lets go by itself.
    pub retry_at: Option<Instant>,
    /// Until when the worker may call the provider.
    pub expires_at: Option<Instant>,
    /// The counts that go with the answer.
    pub counts: Counts,
    /// Whether it was this very call that took the slot; a replay did not.
    pub taken: bool,
}

impl Decision {
    /// A refusal.
    pub fn refuse(refusal: Refusal) -> Decision {
        Decision {
            operation: None,
            proceed: false,
            reason: Some(refusal.reason),
            retry_at: refusal.retry_at,
            expires_at: None,
            counts: refusal.counts,
            taken: false,
        }
    }

    /// The row, in the current memory context.
    pub fn into_datum(self) -> pg_sys::Datum {
        DECISION.row(&[
            self.proceed.param(),
            self.operation.param(),
            self.reason.map(Reason::name).param(),
            self.retry_at.param(),
            self.expires_at.param(),
            self.counts.sent_today.param(),
            self.counts.daily_cap.param(),
            self.counts.remaining.param(),
        ])
    }
}

/// A composite type of the schema `sendgate`. Its description is copied once per backend, and again
/// when the type may have changed: with the extension dropped and created anew.
pub struct CompositeType {
    name: &'static CStr,
    found: Cell<(u64, pg_sys::TupleDesc)>,
}

// A backend has one thread.
unsafe impl Sync for CompositeType {}

static DECISION: CompositeType = CompositeType::new(c"decision");

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
