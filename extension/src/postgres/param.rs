//! Array parameters for set-based statements: one array a column, read with `unnest`. Over several
//! arrays it is written without its schema: that is syntax then, and always means `pg_catalog`'s.

use pgrx::pg_sys;

use crate::statement::{IntoParam, Param};

/// `date[]`.
pub const DATES: pg_sys::Oid = pg_sys::Oid::from_u32(1182);
/// `timestamptz[]`.
pub const INSTANTS: pg_sys::Oid = pg_sys::Oid::from_u32(1185);

/// The element types that columns have.
#[derive(Clone, Copy, Debug)]
pub enum Element {
    /// `text`.
    Text,
    /// `uuid`.
    Uuid,
    /// `integer`.
    Int4,
    /// `date`.
    Date,
    /// `timestamptz`.
    Timestamp,
    /// `boolean`.
    Bool,
}

impl Element {
    /// Type, length, by value, alignment: `pg_type` of types that never change.
    fn storage(self) -> (pg_sys::Oid, i32, bool, u8) {
        match self {
            Element::Text => (pg_sys::TEXTOID, -1, false, pg_sys::TYPALIGN_INT),
            Element::Uuid => (pg_sys::UUIDOID, 16, false, pg_sys::TYPALIGN_CHAR),
            Element::Int4 => (pg_sys::INT4OID, 4, true, pg_sys::TYPALIGN_INT),
            Element::Date => (pg_sys::DATEOID, 4, true, pg_sys::TYPALIGN_INT),
            Element::Timestamp => (pg_sys::TIMESTAMPTZOID, 8, true, pg_sys::TYPALIGN_DOUBLE),
            Element::Bool => (pg_sys::BOOLOID, 1, true, pg_sys::TYPALIGN_CHAR),
        }
    }
}

/// An array of these values, in the current memory context.
pub fn array<T: IntoParam>(element: Element, values: impl IntoIterator<Item = T>) -> Param {
    let params: Vec<Param> = values.into_iter().map(IntoParam::param).collect();
    let mut nulls: Vec<bool> = params.iter().map(Option::is_none).collect();
    let mut datums: Vec<pg_sys::Datum> =
        params.into_iter().map(|param| param.unwrap_or(pg_sys::Datum::null())).collect();
    let (type_oid, length, by_value, alignment) = element.storage();
    let (mut dimension, mut lower_bound) = (datums.len() as i32, 1);
    unsafe {
        let array = pg_sys::construct_md_array(
            datums.as_mut_ptr(),
            nulls.as_mut_ptr(),
            1,
            &mut dimension,
            &mut lower_bound,
            type_oid,
            length,
            by_value,
            alignment as std::ffi::c_char,
        );
        Some(pg_sys::Datum::from(array))
    }
}
