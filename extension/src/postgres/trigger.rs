//! A trigger on whatever table: how it is declared, and the row that it is fired for, with columns by name
//! and values of any type through their text output.

use crate::postgres::caught::calling;
use crate::postgres::function::Args;
use crate::postgres::param::Param;
use crate::postgres::raw;
use crate::postgres::row::{Value, refuse};
use pgrx::PgTupleDesc;
use pgrx::pg_sys;
use pgrx::pg_sys::submodules::htup::heap_getattr;
use std::ffi::{CStr, CString, c_char};

/// A trigger's call.
pub struct Fired<'a> {
    data: &'a pg_sys::TriggerData,
}

/// A trigger as it is declared, and its table: of a call, or from the catalog, without one.
#[derive(Clone, Copy)]
pub struct Declared<'a> {
    trigger: &'a pg_sys::Trigger,
    table: &'a pg_sys::RelationData,
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
    /// Whether it must not be NULL.
    pub is_required: bool,
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

    /// The answer that lets happen whatever it is fired for.
    pub fn passed(&self) -> pg_sys::Datum {
        self.deleted().or_else(|| self.updated()).unwrap_or(pg_sys::Datum::null())
    }

    /// Whether it is fired BEFORE UPDATE FOR EACH ROW.
    pub fn is_before_update(&self) -> bool {
        self.is(pg_sys::TRIGGER_EVENT_BEFORE | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_UPDATE)
    }

    /// Whether it is fired AFTER INSERT or AFTER UPDATE, FOR EACH ROW.
    pub fn is_after_row(&self) -> bool {
        let after_row = pg_sys::TRIGGER_EVENT_AFTER | pg_sys::TRIGGER_EVENT_ROW;
        self.is(after_row | pg_sys::TRIGGER_EVENT_INSERT) || self.is(after_row | pg_sys::TRIGGER_EVENT_UPDATE)
    }

    /// The new row's columns that the trigger names in `UPDATE OF`, in its order; none where it names another number
    /// of them.
    pub fn watched<const N: usize>(&self) -> Option<[Watched<'_>; N]> {
        let trigger = self.declared().trigger;
        if trigger.tgnattr as usize != N {
            return None;
        }
        let numbers = unsafe { std::slice::from_raw_parts(trigger.tgattr, N) };
        let is_update = self.data.tg_event & pg_sys::TRIGGER_EVENT_OPMASK == pg_sys::TRIGGER_EVENT_UPDATE;
        let tuple = if is_update { self.data.tg_newtuple } else { self.data.tg_trigtuple };
        Some(std::array::from_fn(|i| Watched { tuple, number: numbers[i].into(), fired: self }))
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

    /// How the trigger is declared.
    pub fn declared(&self) -> Declared<'_> {
        unsafe { Declared { trigger: &*self.data.tg_trigger, table: &*self.data.tg_relation } }
    }

    /// The table's name, for messages.
    pub fn relation_name(&self) -> String {
        self.declared().relation_name()
    }

    /// The column of this name; none where the table has none, and for system columns.
    pub fn column(&self, name: &str) -> Option<Column> {
        self.declared().column(name)
    }

    fn descriptor(&self) -> pg_sys::TupleDesc {
        unsafe { (*self.data.tg_relation).rd_att }
    }

    /// Whether the row that is to be inserted has a value in this column.
    pub fn has_value(&self, name: &CStr) -> bool {
        let number = self.declared().number(name);
        unsafe { number > 0 && !pg_sys::heap_attisnull(self.data.tg_trigtuple, number, self.descriptor()) }
    }

    /// The row that is to be inserted.
    pub fn inserted(&self) -> TableRow<'_> {
        TableRow { tuple: self.data.tg_trigtuple, fired: self }
    }

    /// The row before the update.
    pub fn before(&self) -> TableRow<'_> {
        TableRow { tuple: self.data.tg_trigtuple, fired: self }
    }

    /// The row after the update.
    pub fn after(&self) -> TableRow<'_> {
        TableRow { tuple: self.data.tg_newtuple, fired: self }
    }
}

impl<'a> Declared<'a> {
    /// What `work` says about a trigger of a table; none where there is no such trigger. Waits for a session
    /// that has the table locked.
    pub fn in_catalog<T>(
        table: pg_sys::Oid,
        trigger: pg_sys::Oid,
        work: impl FnOnce(&Declared<'_>) -> T,
    ) -> Option<T> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        unsafe {
            let relation = calling(|| raw::try_relation_open(table, lock));
            let table = relation.as_ref()?;
            let answer =
                Declared::all_of(table).find(|one| one.trigger.tgoid == trigger).map(|one| work(&one));
            pg_sys::relation_close(relation, lock);
            answer
        }
    }

    fn all_of(table: &'a pg_sys::RelationData) -> impl Iterator<Item = Declared<'a>> {
        let triggers = match unsafe { table.trigdesc.as_ref() } {
            Some(all) if all.numtriggers > 0 => unsafe {
                std::slice::from_raw_parts(all.triggers, all.numtriggers as usize)
            },
            _ => &[],
        };
        triggers.iter().map(move |trigger| Declared { trigger, table })
    }

    /// The triggers of the same table that fire, this one among them.
    pub fn neighbours(&self) -> impl Iterator<Item = Declared<'a>> {
        Declared::all_of(self.table).filter(|one| one.trigger.tgenabled as u8 != pg_sys::TRIGGER_DISABLED)
    }

    /// Whether it calls the function of this name in the schema `sendgate`.
    pub fn calls(&self, function: &str) -> bool {
        unsafe {
            let (name, schema) = (
                pg_sys::get_func_name(self.trigger.tgfoid),
                pg_sys::get_namespace_oid(c"sendgate".as_ptr(), true),
            );
            !name.is_null()
                && show(name) == function
                && pg_sys::get_func_namespace(self.trigger.tgfoid) == schema
        }
    }

    /// When it is fired and for what: the bits of `pg_trigger.tgtype`.
    pub fn moments(&self) -> u32 {
        self.trigger.tgtype as u32
    }

    /// What kind of relation its table is: `pg_class.relkind`.
    pub fn relation_kind(&self) -> u8 {
        unsafe { (*self.table.rd_rel).relkind as u8 }
    }

    /// Whether its table is a partition.
    pub fn is_on_partition(&self) -> bool {
        unsafe { (*self.table.rd_rel).relispartition }
    }

    /// The table's name, for messages.
    pub fn relation_name(&self) -> String {
        show(unsafe { (*self.table.rd_rel).relname.data.as_ptr() })
    }

    /// The trigger's name, for messages.
    pub fn trigger_name(&self) -> String {
        show(self.trigger.tgname)
    }

    /// The arguments that `CREATE TRIGGER` gave.
    pub fn arguments(&self) -> Vec<String> {
        let trigger = self.trigger;
        (0..trigger.tgnargs as usize).map(|i| show(unsafe { *trigger.tgargs.add(i) })).collect()
    }

    /// The column of this name; none where the table has none, and for system columns.
    pub fn column(&self, name: &str) -> Option<Column> {
        let name = CString::new(name).ok()?;
        let number = self.number(&name);
        if number <= 0 {
            return None;
        }
        let columns = unsafe { PgTupleDesc::from_pg_unchecked(self.table.rd_att) };
        columns.get(number as usize - 1).map(|attribute| Column {
            number,
            type_oid: attribute.atttypid,
            modifier: attribute.atttypmod,
            generated: attribute.attgenerated as u8,
            is_required: attribute.attnotnull,
        })
    }

    fn number(&self, name: &CStr) -> i32 {
        unsafe { pg_sys::SPI_fnumber(self.table.rd_att, name.as_ptr()) }
    }
}

/// A column of the new row that the trigger watches.
pub struct Watched<'a> {
    tuple: pg_sys::HeapTuple,
    number: i32,
    fired: &'a Fired<'a>,
}

impl Watched<'_> {
    /// Whether it has a value. Looks at the row's null bits alone; a value is behind all that are stored before it.
    pub fn is_some(&self) -> bool {
        unsafe { !pg_sys::heap_attisnull(self.tuple, self.number, self.fired.descriptor()) }
    }

    /// The value as it is stored.
    pub fn value(&self) -> Param {
        stored(self.tuple, self.number, self.fired)
    }
}

/// A row of the trigger's table.
pub struct TableRow<'a> {
    tuple: pg_sys::HeapTuple,
    fired: &'a Fired<'a>,
}

impl Column {
    /// This column, if its values are as long as a `T`: the table's owner may have given it another type, and to read or
    /// write that as a `T` would end the server.
    pub fn of<T: Value>(self) -> Column {
        if unsafe { pg_sys::get_typlen(self.type_oid) } != T::LENGTH {
            refuse(self.number as usize - 1);
        }
        self
    }

    /// The type of its values: of a domain, the type below it.
    pub fn base_type(&self) -> pg_sys::Oid {
        unsafe { pg_sys::getBaseType(self.type_oid) }
    }
}

impl TableRow<'_> {
    /// A column as it is stored.
    pub fn datum(&self, column: Column) -> Param {
        stored(self.tuple, column.number, self.fired)
    }

    /// A column as text, whatever its type. The blanks that fill up a `char(n)` mean nothing.
    pub fn text(&self, column: Column) -> Option<String> {
        let datum = self.datum(column)?;
        let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
        let text = unsafe {
            pg_sys::getTypeOutputInfo(column.type_oid, &mut output, &mut is_varlena);
            show(calling(|| raw::OidOutputFunctionCall(output, datum)))
        };
        let is_filled_up = column.base_type() == pg_sys::BPCHAROID;
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

fn stored(row: pg_sys::HeapTuple, number: i32, fired: &Fired<'_>) -> Param {
    let mut is_null = false;
    let datum = unsafe { heap_getattr(row, number, fired.descriptor(), &mut is_null) };
    (!is_null).then_some(datum)
}

/// A text as a value of this type, one of PostgreSQL's own: what its input function would make of a
/// literal, length included.
pub fn input(column: Column, text: &str) -> Param {
    let text = CString::new(text).ok()?;
    let (mut function, mut parameter) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
    unsafe {
        pg_sys::getTypeInputInfo(column.type_oid, &mut function, &mut parameter);
        let (text, modifier) = (text.as_ptr().cast_mut(), column.modifier);
        Some(calling(|| raw::OidInputFunctionCall(function, text, parameter, modifier)))
    }
}

fn show(text: *const c_char) -> String {
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
