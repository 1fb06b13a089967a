//! OIDs of sendgate's relations.
//!
//! Code that keeps an OID keeps the number of the [`generation`] with it, and looks the OID up again when
//! the number has changed.

use crate::postgres::invalidation::Watch;
use pgrx::{PgLogLevel, PgSqlErrorCode, ereport, pg_sys};
use std::ffi::CStr;

/// The relations whose OIDs are kept.
pub static RELATIONS: Watch = Watch::new();

/// A number that changes whenever a relation that was [`relation`]'s answer does.
pub(super) fn generation() -> u64 {
    RELATIONS.heard()
}

/// The OID of a relation of the schema `sendgate`, watched from now on.
pub(super) fn relation(name: &CStr) -> pg_sys::Oid {
    let oid = oid(name);
    RELATIONS.add(oid);
    oid
}

/// The OID of a relation of the schema `sendgate` at this moment.
pub fn oid(name: &CStr) -> pg_sys::Oid {
    let oid = unsafe {
        let schema = pg_sys::get_namespace_oid(c"sendgate".as_ptr(), false);
        pg_sys::get_relname_relid(name.as_ptr(), schema)
    };
    if oid == pg_sys::InvalidOid {
        ereport!(
            PgLogLevel::ERROR,
            PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
            format!("relation \"sendgate.{}\" does not exist", name.to_string_lossy())
        );
    }
    oid
}
