//! Looks operation ids up in a guarded table: with the rights of the table's owner and past its row
//! security, as foreign keys are checked, because the question is which rows exist, not which of them a
//! role may see.

use crate::postgres::ids;
use crate::postgres::param::{Element, Param, array, types};
use crate::postgres::statement::{Spi, Statement};
use pgrx::{PgTupleDesc, pg_sys};
use sendgate_decision::names::OperationId;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::ffi::{CStr, CString, c_char};
use std::mem::ManuallyDrop;

/// Most statements that a backend keeps: a table in hundreds of partitions must not fill its memory.
const STATEMENTS_MAX: usize = 64;

/// Which column of a table holds the ids.
#[derive(Clone, Copy, Debug)]
pub(super) enum IdColumn<'a> {
    /// The column of this number, whatever it is called by now.
    Number(i16),
    /// The column of this name.
    Name(&'a str),
}

/// How to ask a guarded table which operations its rows hold.
enum Question {
    /// Nothing: the table or the column is gone, and with it all that it held.
    Gone,
    /// The column is missing or has another type now, so its rows cannot be read.
    Unclear,
    /// The text of the query, the type of its array and the table's owner.
    Ask(String, Element, pg_sys::Oid),
}

thread_local! {
    /// Not dropped when the backend ends: there is no PostgreSQL left then to free the plans.
    static STATEMENTS: ManuallyDrop<RefCell<HashMap<String, Statement>>> = ManuallyDrop::default();
}

/// Takes those away from `missing` that rows of this table hold; where that cannot be told, all of
/// them: a slot that is kept for nothing is the lesser evil.
pub(super) fn look_up(
    spi: &Spi,
    table: pg_sys::Oid,
    column: IdColumn<'_>,
    missing: &mut BTreeSet<OperationId>,
) {
    if missing.is_empty() {
        return;
    }
    match question(table, column) {
        Question::Gone => {}
        Question::Unclear => missing.clear(),
        Question::Ask(sql, element, owner) => {
            for id in as_user(owner, || held(spi, sql, element, missing)) {
                missing.remove(&id);
            }
        }
    }
}

/// Runs work with another role's rights, until it ends or its error ends the transaction.
pub(super) fn as_user<T>(user: pg_sys::Oid, work: impl FnOnce() -> T) -> T {
    const ADDED: i32 = (pg_sys::SECURITY_LOCAL_USERID_CHANGE | pg_sys::SECURITY_NOFORCE_RLS) as i32;
    let (mut before, mut context) = (pg_sys::InvalidOid, 0);
    unsafe {
        pg_sys::GetUserIdAndSecContext(&mut before, &mut context);
        pg_sys::SetUserIdAndSecContext(user, context | ADDED);
    }
    let answer = work();
    unsafe { pg_sys::SetUserIdAndSecContext(before, context) };
    answer
}

fn question(table: pg_sys::Oid, column: IdColumn<'_>) -> Question {
    unsafe {
        // The lock stays until the transaction ends, so that no session renames the table under the query.
        let relation = pg_sys::try_relation_open(table, pg_sys::AccessShareLock as i32);
        if relation.is_null() {
            return Question::Gone;
        }
        let question = question_about(&*relation, column);
        pg_sys::relation_close(relation, pg_sys::NoLock as i32);
        question
    }
}

unsafe fn question_about(relation: &pg_sys::RelationData, column: IdColumn<'_>) -> Question {
    let class = unsafe { &*relation.rd_rel };
    let columns = unsafe { PgTupleDesc::from_pg_unchecked(relation.rd_att) };
    let number = match column {
        IdColumn::Number(number) => i32::from(number),
        IdColumn::Name(name) => {
            let name = CString::new(name).unwrap_or_default();
            unsafe { pg_sys::SPI_fnumber(relation.rd_att, name.as_ptr()) }
        }
    };
    let Some(column) = usize::try_from(number - 1).ok().and_then(|index| columns.get(index)) else {
        return Question::Unclear;
    };
    if column.attisdropped {
        return Question::Gone;
    }
    let (element, ids) = match column.atttypid {
        pg_sys::UUIDOID => (Element::Uuid, "$1"),
        pg_sys::TEXTOID | pg_sys::VARCHAROID => (Element::Text, "$1"),
        pg_sys::BPCHAROID => (Element::Text, "$1::pg_catalog.bpchar[]"),
        _ => return Question::Unclear,
    };
    let schema = unsafe { pg_sys::get_namespace_name(class.relnamespace) };
    if schema.is_null() {
        return Question::Gone;
    }
    let (schema, table) = (quoted(schema), quoted(class.relname.data.as_ptr()));
    let column = quoted(column.attname.data.as_ptr());
    let sql = format!(
        "SELECT t.{column}::pg_catalog.text FROM {schema}.{table} t WHERE t.{column} OPERATOR(pg_catalog.=) ANY ({ids})"
    );
    Question::Ask(sql, element, class.relowner)
}

/// An identifier as SQL writes it.
fn quoted(name: *const c_char) -> String {
    unsafe { CStr::from_ptr(pg_sys::quote_identifier(name)) }.to_string_lossy().into_owned()
}

/// Which of the ids the table's rows hold.
fn held(spi: &Spi, sql: String, element: Element, ids: &BTreeSet<OperationId>) -> Vec<OperationId> {
    let kept = STATEMENTS.with(|kept| kept.borrow_mut().remove(&sql)).filter(Statement::is_valid);
    let statement = kept.unwrap_or_else(|| Statement::composed(sql.clone(), types(element)));
    let rows = spi.run(&statement, &[id_array(element, ids)]);
    let held = rows.iter().filter_map(|mut row| uuid::Uuid::parse_str(row.value()).ok());
    let held = held.map(uuid::Uuid::into_bytes).collect();
    keep(sql, statement);
    held
}

const fn types(element: Element) -> &'static [pg_sys::Oid] {
    match element {
        Element::Uuid => types![uuids],
        _ => types![texts],
    }
}

fn id_array(element: Element, ids: &BTreeSet<OperationId>) -> Param {
    match element {
        Element::Uuid => array(element, ids.iter().copied()),
        _ => {
            let texts: Vec<String> = ids.iter().copied().map(ids::show).collect();
            array(element, &texts)
        }
    }
}

fn keep(sql: String, statement: Statement) {
    STATEMENTS.with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() >= STATEMENTS_MAX {
            kept.clear();
        }
        kept.insert(sql, statement);
    });
}
