//! The answer of `reserve` and `preview` as a row of the type `sendgate.decision`.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{Counts, Refusal};
use sendgate_decision::names::Reason;

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
        composite(
            c"decision",
            &[
                self.proceed.param(),
                self.operation.param(),
                self.reason.map(Reason::name).param(),
                self.retry_at.param(),
                self.expires_at.param(),
                self.counts.sent_today.param(),
                self.counts.daily_cap.param(),
                self.counts.remaining.param(),
            ],
        )
    }
}

/// A row of a composite type in the schema `sendgate`. Two look-ups in the system caches, which are
/// invalidated when the extension is dropped and created anew.
fn composite(name: &CStr, fields: &[Param]) -> pg_sys::Datum {
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"sendgate".as_ptr(), false);
        let type_oid = pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(schema),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        );
        let descriptor = pg_sys::lookup_rowtype_tupdesc(type_oid, -1);
        let row = form(descriptor, fields);
        if (*descriptor).tdrefcount >= 0 {
            pg_sys::DecrTupleDescRefCount(descriptor);
        }
        row
    }
}

/// A row of an anonymous record type, for functions with OUT arguments. The description is made once
/// per backend: PostgreSQL would put it together anew for every call.
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

unsafe fn form(descriptor: pg_sys::TupleDesc, fields: &[Param]) -> pg_sys::Datum {
    let mut values: Vec<pg_sys::Datum> =
        fields.iter().map(|field| field.unwrap_or(pg_sys::Datum::null())).collect();
    let mut nulls: Vec<bool> = fields.iter().map(Option::is_none).collect();
    unsafe {
        assert_eq!((*descriptor).natts as usize, fields.len(), "the SQL type has other fields");
        let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)
    }
}
