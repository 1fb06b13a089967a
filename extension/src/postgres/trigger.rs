//! The row that a trigger is fired for, on whatever table: columns by name, values of any type
//! through their text output.

use crate::postgres::function::Args;
use crate::postgres::param::Param;
use pgrx::PgTupleDesc;
use pgrx::pg_sys;
use pgrx::pg_sys::submodules::htup::heap_getattr;
use std::ffi::{CStr, CString, c_char};

/// A trigger's call.
pub struct Fired<'a> {
    data: &'a pg_sys::TriggerData,
}

/// A column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number, from 1.
    pub number: i32,
    /// Its type.
    pub type_oid: pg_sys::Oid,
    /// Its type's modifier, such as a length.
    pub modifier: i32,
    /// Whether it is computed: `s` for stored, `v` for virtual, 0 for neither.
    pub generated: u8,
}

impl<'a> Fired<'a> {
    /// The call, when the function was called as a trigger.
    pub fn of(args: &'a Args) -> Option<Fired<'a>> {
        unsafe {
            let context = (*args.0).context;
            if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            context.cast::<pg_sys::TriggerData>().as_ref().map(|data| Fired { data })
        }
    }

    /// Whether it is fired BEFORE INSERT FOR EACH ROW.
    pub fn is_before_insert(&self) -> bool {
        self.is(pg_sys::TRIGGER_EVENT_BEFORE | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_INSERT)
    }

    /// The row that is about to be deleted, where that is what it is fired for: the answer that lets
    /// it go.
    pub fn deleted(&self) -> Option<pg_sys::Datum> {
        let is_delete =
            self.is(pg_sys::TRIGGER_EVENT_BEFORE | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_DELETE);
        is_delete.then(|| pg_sys::Datum::from(self.data.tg_trigtuple))
    }

    /// The new version of the row that is about to be updated, where that is what it is fired for: the answer
    /// that lets it be.
    pub fn updated(&self) -> Option<pg_sys::Datum> {
        let is_update =
            self.is(pg_sys::TRIGGER_EVENT_BEFORE | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_UPDATE);
        is_update.then(|| pg_sys::Datum::from(self.data.tg_newtuple))
    }

    /// Whether it is fired AFTER UPDATE FOR EACH ROW.
    pub fn is_after_update(&self) -> bool {
        self.is(pg_sys::TRIGGER_EVENT_AFTER | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_UPDATE)
    }

    fn is(&self, event: u32) -> bool {
        const MASK: u32 =
            pg_sys::TRIGGER_EVENT_TIMINGMASK | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_OPMASK;
        self.data.tg_event & MASK == event
    }

    /// The table, in which the row is or will be: of a partitioned one, the partition.
    pub fn relation(&self) -> pg_sys::Oid {
        unsafe { (*self.data.tg_relation).rd_id }
    }

    /// The relation's entry in `pg_class`.
    pub fn class(&self) -> &pg_sys::FormData_pg_class {
        unsafe { &*(*self.data.tg_relation).rd_rel }
    }

    /// The table's name, for messages.
    pub fn relation_name(&self) -> String {
        show(self.class().relname.data.as_ptr())
    }

    /// The trigger's name, for messages.
    pub fn trigger_name(&self) -> String {
        show(unsafe { (*self.data.tg_trigger).tgname })
    }

    /// The arguments that `CREATE TRIGGER` gave.
    pub fn arguments(&self) -> Vec<String> {
        unsafe {
            let trigger = &*self.data.tg_trigger;
            (0..trigger.tgnargs as usize).map(|i| show(*trigger.tgargs.add(i))).collect()
        }
    }

    /// The column of this name; none where the table has none, and for system columns.
    pub fn column(&self, name: &str) -> Option<Column> {
        let name = CString::new(name).ok()?;
        let number = self.number(&name);
        if number <= 0 {
            return None;
        }
        let columns = unsafe { PgTupleDesc::from_pg_unchecked(self.descriptor()) };
        columns.get(number as usize - 1).map(|attribute| Column {
            number,
            type_oid: attribute.atttypid,
            modifier: attribute.atttypmod,
            generated: attribute.attgenerated as u8,
        })
    }

    fn number(&self, name: &CStr) -> i32 {
        unsafe { pg_sys::SPI_fnumber(self.descriptor(), name.as_ptr()) }
    }

    fn descriptor(&self) -> pg_sys::TupleDesc {
        unsafe { (*self.data.tg_relation).rd_att }
    }

    /// Whether the row that is to be inserted has a value in this column.
    pub fn has_value(&self, name: &CStr) -> bool {
        let number = self.number(name);
        unsafe { number > 0 && !pg_sys::heap_attisnull(self.data.tg_trigtuple, number, self.descriptor()) }
    }

    /// The row that is to be inserted.
    pub fn inserted(&self) -> Row<'_> {
        Row { tuple: self.data.tg_trigtuple, fired: self }
    }

    /// The row before the update.
    pub fn before(&self) -> Row<'_> {
        self.inserted()
    }

    /// The row after the update.
    pub fn after(&self) -> Row<'_> {
        Row { tuple: self.data.tg_newtuple, fired: self }
    }
}

/// A row of the trigger's table.
pub struct Row<'a> {
    tuple: pg_sys::HeapTuple,
    fired: &'a Fired<'a>,
}

impl Row<'_> {
    /// A column as it is stored.
    pub fn datum(&self, column: Column) -> Param {
        let mut is_null = false;
        let datum = unsafe { heap_getattr(self.tuple, column.number, self.fired.descriptor(), &mut is_null) };
        (!is_null).then_some(datum)
    }

    /// A column as text, whatever its type. The blanks that fill up a `char(n)` mean nothing.
    pub fn text(&self, column: Column) -> Option<String> {
        let datum = self.datum(column)?;
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        let text = unsafe {
            pg_sys::getTypeOutputInfo(column.type_oid, &mut output, &mut is_varlena);
            show(pg_sys::OidOutputFunctionCall(output, datum))
        };
        let is_filled_up = unsafe { pg_sys::getBaseType(column.type_oid) } == pg_sys::BPCHAROID;
        Some(if is_filled_up { text.trim_end_matches(' ').to_owned() } else { text })
    }

    /// The row as it is.
    pub fn unchanged(&self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.tuple)
    }

    /// The row with other values in these columns, in the current memory context.
    pub fn with(&self, changes: &[(Column, Param)]) -> pg_sys::Datum {
        let mut numbers: Vec<i32> = changes.iter().map(|(column, _)| column.number).collect();
        let mut nulls: Vec<bool> = changes.iter().map(|(_, value)| value.is_none()).collect();
        let mut values: Vec<pg_sys::Datum> =
            changes.iter().map(|(_, value)| value.unwrap_or(pg_sys::Datum::null())).collect();
        let changed = unsafe {
            pg_sys::heap_modify_tuple_by_cols(
                self.tuple,
                self.fired.descriptor(),
                changes.len() as i32,
                numbers.as_mut_ptr(),
                values.as_mut_ptr(),
                nulls.as_mut_ptr(),
            )
        };
        pg_sys::Datum::from(changed)
    }
}

/// A text as a value of this type, one of PostgreSQL's own: what its input function would make of a
/// literal, length included.
pub fn input(column: Column, text: &str) -> Param {
    let text = CString::new(text).ok()?;
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    unsafe {
        pg_sys::getTypeInputInfo(column.type_oid, &mut function, &mut parameter);
        Some(pg_sys::OidInputFunctionCall(function, text.as_ptr().cast_mut(), parameter, column.modifier))
    }
}

fn show(text: *const c_char) -> String {
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
