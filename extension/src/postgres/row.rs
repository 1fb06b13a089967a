//! A row as a statement or a look-up returns it.

use crate::postgres::ids::Id;
use crate::postgres::param::Param;
use pgrx::datum::{Interval, JsonB, Uuid};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{FromDatum, PgLogLevel, PgSqlErrorCode, pg_sys};
use sendgate_decision::clock::{Day, Instant};

/// Most columns of one row.
pub(super) const COLUMNS_MAX: usize = 80;

/// Where a version of a row lies in its table: a `ctid`.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub(super) pg_sys::ItemPointerData);

impl PartialEq for Place {
    fn eq(&self, other: &Place) -> bool {
        let parts = |Place(at): &Place| (at.ip_blkid.bi_hi, at.ip_blkid.bi_lo, at.ip_posid);
        parts(self) == parts(other)
    }
}

/// A value that is read from a column. A table's owner may have given the column another type, and to read a number where
/// a text is wanted would end the server.
pub trait Value: FromDatum {
    /// How many bytes it has in a row, as in `pg_type.typlen`.
    const LENGTH: i16;
}

/// Of values whose length is written before them.
pub(super) const VARIABLE: i16 = -1;

macro_rules! values {
    ($($kind:ty: $length:expr),+) => { $(impl Value for $kind { const LENGTH: i16 = $length; })+ };
}

values!(bool: 1, i16: 2, i32: 4, pg_sys::Oid: 4, i64: 8, f64: 8, Uuid: 16, Interval: 16);
values!(String: VARIABLE, &str: VARIABLE, &[u8]: VARIABLE, JsonB: VARIABLE);

/// The length of a column's values.
pub(super) unsafe fn length_of(columns: pg_sys::TupleDesc, index: usize) -> i16 {
    #[cfg(feature = "pg18")]
    return unsafe { (*(*columns).compact_attrs.as_ptr().add(index)).attlen };
    #[cfg(not(feature = "pg18"))]
    return unsafe { (*(*columns).attrs.as_ptr().add(index)).attlen };
}

/// A row, read column by column in the order of the statement's list.
pub struct Row {
    // In place rather than on the heap: a row is read at once, and every decision reads some.
    values: [pg_sys::Datum; COLUMNS_MAX],
    nulls: [bool; COLUMNS_MAX],
    lengths: [i16; COLUMNS_MAX],
    columns: usize,
    next: usize,
}

impl Row {
    /// A row of this many columns: `fill` puts in their values, which of them are NULL, and their lengths.
    pub(super) fn filled(
        columns: usize,
        fill: impl FnOnce(&mut [pg_sys::Datum], &mut [bool], &mut [i16]),
    ) -> Row {
        assert!(columns <= COLUMNS_MAX, "a row of {columns} columns");
        let mut row = Row {
            values: [pg_sys::Datum::null(); COLUMNS_MAX],
            nulls: [true; COLUMNS_MAX],
            lengths: [0; COLUMNS_MAX],
            columns,
            next: 0,
        };
        fill(&mut row.values[..columns], &mut row.nulls[..columns], &mut row.lengths[..columns]);
        row
    }

    fn take<T: Value>(&mut self) -> Option<T> {
        let i = self.next();
        if self.lengths[i] != T::LENGTH {
            refuse(i);
        }
        unsafe { T::from_datum(self.values[i], self.nulls[i]) }
    }

    fn next(&mut self) -> usize {
        assert!(self.next < self.columns, "the row has {} columns", self.columns);
        self.next += 1;
        self.next - 1
    }

    /// The columns as they are, to be handed on.
    pub fn into_params(self) -> Vec<Param> {
        (0..self.columns).map(|i| (!self.nulls[i]).then_some(self.values[i])).collect()
    }

    /// A column that cannot be NULL.
    pub fn value<T: Value>(&mut self) -> T {
        let column = self.next + 1;
        self.take().unwrap_or_else(|| panic!("column {column} is null"))
    }

    /// A column that may be NULL.
    pub fn nullable<T: Value>(&mut self) -> Option<T> {
        self.take()
    }

    /// An instant.
    pub fn instant(&mut self) -> Instant {
        Instant(self.value())
    }

    /// An instant or NULL.
    pub fn nullable_instant(&mut self) -> Option<Instant> {
        self.take::<i64>().map(Instant)
    }

    /// Where it lies: the column `ctid`.
    pub fn place(&mut self) -> Place {
        let i = self.next();
        Place(unsafe { *self.values[i].cast_mut_ptr::<pg_sys::ItemPointerData>() })
    }

    /// A transaction id.
    pub fn transaction(&mut self) -> u32 {
        let i = self.next();
        self.values[i].value() as u32
    }

    /// A day.
    pub fn day(&mut self) -> Day {
        Day(self.value())
    }

    /// A day as its number, or NULL.
    pub fn nullable_day(&mut self) -> Option<i32> {
        self.take::<i32>()
    }

    /// A UUID or NULL.
    pub fn nullable_uuid(&mut self) -> Option<Id> {
        self.take::<Uuid>().map(|uuid| *uuid.as_bytes())
    }

    /// A value of a closed list; the column's CHECK allows no other.
    pub fn one_of<T>(&mut self, parse: impl Fn(&str) -> Option<T>) -> T {
        let text = self.short_text().unwrap_or_else(|| self.value());
        parse(text).unwrap_or_else(|| panic!("\"{text}\" is not in its closed list"))
    }

    /// A text that lies in the row as it is, as those of up to 126 bytes do: PostgreSQL need not be asked
    /// to fetch or unpack it.
    fn short_text<'a>(&mut self) -> Option<&'a str> {
        let i = self.next;
        if i >= self.columns || self.nulls[i] || self.lengths[i] != VARIABLE {
            return None;
        }
        let bytes = unsafe {
            let varlena: *const pg_sys::varlena = self.values[i].cast_mut_ptr();
            if !pgrx::varlena::varatt_is_1b(varlena) || pgrx::varlena::varatt_is_1b_e(varlena) {
                return None;
            }
            let (start, length) =
                (pgrx::varlena::vardata_1b(varlena), pgrx::varlena::varsize_1b(varlena) - 1);
            std::slice::from_raw_parts(start.cast::<u8>(), length)
        };
        let text = std::str::from_utf8(bytes).ok()?;
        self.next += 1;
        Some(text)
    }
}

/// Of a table whose owner changed a column's type.
#[cold]
pub(super) fn refuse(column: usize) -> ! {
    let code = PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE;
    let message = format!("column {} of a row of sendgate's is of another type", column + 1);
    ErrorReport::new(code, message, "sendgate")
        .set_detail("A column of a table of the schema sendgate does not have the type that the extension gave it. Nothing was changed.")
        .set_hint("Compare the tables with those of a database in which the extension was created anew, and give the column its type back.")
        .report(PgLogLevel::ERROR);
    unreachable!("an ERROR does not return")
}
