//! A `jsonb` value, which mostly is handed on as it is.

use crate::postgres::function::Args;
use crate::postgres::param::{IntoParam, Param};
use crate::postgres::row::{VARIABLE, Value};
use pgrx::{FromDatum, pg_sys};
use serde_json::Value as Json;
use std::ffi::{CStr, CString};

/// A value as PostgreSQL stores it, fetched and unpacked. Lives apart from PostgreSQL's memory, so a row of it
/// outlasts the statement that read it.
#[derive(Clone)]
pub struct Jsonb(Vec<u8>);

impl FromDatum for Jsonb {
    unsafe fn from_polymorphic_datum(datum: pg_sys::Datum, is_null: bool, _: pg_sys::Oid) -> Option<Self> {
        if is_null {
            return None;
        }
        unsafe {
            let packed: *mut pg_sys::varlena = datum.cast_mut_ptr();
            let plain = pg_sys::pg_detoast_datum(packed);
            let bytes = std::slice::from_raw_parts(plain.cast::<u8>(), pgrx::varlena::varsize_4b(plain));
            let value = Jsonb(bytes.to_vec());
            if plain != packed {
                pg_sys::pfree(plain.cast());
            }
            Some(value)
        }
    }
}

impl Value for Jsonb {
    const LENGTH: i16 = VARIABLE;
}

impl IntoParam for &Jsonb {
    fn param(self) -> Param {
        unsafe {
            let copy = pg_sys::palloc(self.0.len());
            std::ptr::copy_nonoverlapping(self.0.as_ptr(), copy.cast::<u8>(), self.0.len());
            Some(pg_sys::Datum::from(copy))
        }
    }
}

/// A `jsonb` of this text, which is JSON.
pub fn of_text(text: &str) -> Param {
    let text = CString::new(text).unwrap_or_default();
    let (text, function) = (text.as_ptr().cast_mut(), pg_sys::Oid::from_u32(pg_sys::F_JSONB_IN));
    Some(unsafe { pg_sys::OidInputFunctionCall(function, text, pg_sys::JSONBOID, -1) })
}

impl Jsonb {
    /// How long it is as text, in bytes.
    pub fn text_bytes(&self) -> usize {
        self.as_text(<[u8]>::len)
    }

    /// What it says. None for one that is nested deeper than any of ours: PostgreSQL's limit is higher than the parser's.
    pub fn parsed(&self) -> Option<Json> {
        self.as_text(|text| serde_json::from_slice(text).ok())
    }

    fn as_text<T>(&self, work: impl FnOnce(&[u8]) -> T) -> T {
        let Some(datum) = self.param() else { return work(b"null") };
        unsafe {
            let text = pg_sys::OidOutputFunctionCall(pg_sys::Oid::from_u32(pg_sys::F_JSONB_OUT), datum);
            let answer = work(CStr::from_ptr(text).to_bytes());
            pg_sys::pfree(text.cast());
            pg_sys::pfree(datum.cast_mut_ptr());
            answer
        }
    }
}

/// The `jsonb[]` argument at `position` (from 0), or `None` for NULL.
pub fn array(args: &Args, position: usize) -> Option<Vec<Option<Jsonb>>> {
    let argument = unsafe { pgrx::fcinfo::pg_get_nullable_datum(args.0, position) };
    if argument.isnull {
        return None;
    }
    unsafe {
        let array = pg_sys::pg_detoast_datum(argument.value.cast_mut_ptr()).cast();
        let (mut values, mut nulls, mut count) = (std::ptr::null_mut(), std::ptr::null_mut(), 0);
        let alignment = pg_sys::TYPALIGN_INT as std::ffi::c_char;
        pg_sys::deconstruct_array(
            array,
            pg_sys::JSONBOID,
            -1,
            false,
            alignment,
            &mut values,
            &mut nulls,
            &mut count,
        );
        let value = |i: usize| Jsonb::from_datum(*values.add(i), *nulls.add(i));
        Some((0..count as usize).map(value).collect())
    }
}
