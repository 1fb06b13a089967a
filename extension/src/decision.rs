//! The answer of `reserve` and `preview` as a row of the type `sendgate.decision`.

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
fn composite(name: &std::ffi::CStr, fields: &[Param]) -> pg_sys::Datum {
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

/// A row of the anonymous record type that the call expects, for functions with OUT arguments.
pub fn record(fcinfo: pg_sys::FunctionCallInfo, fields: &[Param]) -> pg_sys::Datum {
    unsafe {
        let mut descriptor: pg_sys::TupleDesc = std::ptr::null_mut();
        pg_sys::get_call_result_type(fcinfo, std::ptr::null_mut(), &mut descriptor);
        form(pg_sys::BlessTupleDesc(descriptor), fields)
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
