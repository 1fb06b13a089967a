//! Array parameters for set-based statements: one array a column, read with `unnest`. Over several
//! arrays it is written without its schema: that is syntax then, and always means `pg_catalog`'s.

use crate::postgres::ids::Id;
use pgrx::IntoDatum;
use pgrx::datum::Uuid;
use pgrx::pg_sys;
use sendgate_decision::clock::{Day, Instant};

/// A parameter: a value or NULL.
pub type Param = Option<pg_sys::Datum>;

/// Turns a value into a parameter.
pub trait IntoParam {
    /// The parameter, in the current memory context.
    fn param(self) -> Param;
}

macro_rules! datum_param {
    ($($type:ty),+) => { $(impl IntoParam for $type {
        fn param(self) -> Param { self.into_datum() }
    })+ };
}
datum_param!(&str, i16, i32, i64, f64, bool);

impl IntoParam for Instant {
    fn param(self) -> Param {
        Some(pg_sys::Datum::from(self.0))
    }
}

impl IntoParam for Day {
    fn param(self) -> Param {
        Some(pg_sys::Datum::from(self.0))
    }
}

impl IntoParam for Id {
    fn param(self) -> Param {
        Uuid::from_bytes(self).into_datum()
    }
}

/// An array that [`crate::postgres::param`] made.
impl IntoParam for pg_sys::Datum {
    fn param(self) -> Param {
        Some(self)
    }
}

/// A length of time in microseconds as an `interval`.
pub struct Span(pub i64);

impl IntoParam for Span {
    fn param(self) -> Param {
        unsafe {
            let interval: *mut pg_sys::Interval =
                pg_sys::palloc0(std::mem::size_of::<pg_sys::Interval>()).cast();
            (*interval).time = self.0;
            Some(pg_sys::Datum::from(interval))
        }
    }
}

/// A transaction id as a parameter.
pub struct Xid(pub u32);

impl IntoParam for Xid {
    fn param(self) -> Param {
        Some(pg_sys::Datum::from(self.0))
    }
}

impl IntoParam for String {
    fn param(self) -> Param {
        self.as_str().param()
    }
}

impl IntoParam for Vec<u8> {
    fn param(self) -> Param {
        self.into_datum()
    }
}

impl IntoParam for &String {
    fn param(self) -> Param {
        self.as_str().param()
    }
}

impl<T: IntoParam> IntoParam for Option<T> {
    fn param(self) -> Param {
        self.and_then(IntoParam::param)
    }
}

/// A list of parameters from values of different types.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::postgres::param::IntoParam::param($value)),*] };
}
pub(crate) use params;

/// The types of a statement's parameters, one word each: `types![text, uuids, instant]`. A plural is an
/// array.
macro_rules! types {
    ($($name:ident),* $(,)?) => { &[$($crate::postgres::param::type_oid!($name)),*] };
}
pub(crate) use types;

/// PostgreSQL's number of a type.
macro_rules! type_oid {
    (text) => {
        ::pgrx::pg_sys::TEXTOID
    };
    (uuid) => {
        ::pgrx::pg_sys::UUIDOID
    };
    (instant) => {
        ::pgrx::pg_sys::TIMESTAMPTZOID
    };
    (date) => {
        ::pgrx::pg_sys::DATEOID
    };
    (time) => {
        ::pgrx::pg_sys::TIMEOID
    };
    (span) => {
        ::pgrx::pg_sys::INTERVALOID
    };
    (int2) => {
        ::pgrx::pg_sys::INT2OID
    };
    (int4) => {
        ::pgrx::pg_sys::INT4OID
    };
    (int8) => {
        ::pgrx::pg_sys::INT8OID
    };
    (bool) => {
        ::pgrx::pg_sys::BOOLOID
    };
    (xid) => {
        ::pgrx::pg_sys::XIDOID
    };
    (bytes) => {
        ::pgrx::pg_sys::BYTEAOID
    };
    (jsonb) => {
        ::pgrx::pg_sys::JSONBOID
    };
    (jsonbs) => {
        ::pgrx::pg_sys::JSONBARRAYOID
    };
    (bytes_many) => {
        ::pgrx::pg_sys::BYTEAARRAYOID
    };
    (texts) => {
        ::pgrx::pg_sys::TEXTARRAYOID
    };
    (uuids) => {
        ::pgrx::pg_sys::UUIDARRAYOID
    };
    (int4s) => {
        ::pgrx::pg_sys::INT4ARRAYOID
    };
    (bools) => {
        ::pgrx::pg_sys::BOOLARRAYOID
    };
    // The headers name neither of these two.
    (dates) => {
        ::pgrx::pg_sys::Oid::from_u32(1182)
    };
    (instants) => {
        ::pgrx::pg_sys::Oid::from_u32(1185)
    };
}
pub(crate) use type_oid;

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
    /// `bytea`.
    Bytes,
    /// `jsonb`.
    Jsonb,
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
            Element::Bytes => (pg_sys::BYTEAOID, -1, false, pg_sys::TYPALIGN_INT),
            Element::Jsonb => (pg_sys::JSONBOID, -1, false, pg_sys::TYPALIGN_INT),
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
