//! The columns of a key, how they are compared, and the index that has them.

use crate::postgres::list::cells;
use pgrx::pg_sys;
use std::ffi::CStr;

/// PostgreSQL's own orders, whose numbers have no names in its headers: of UUIDs, of days and instants, of
/// integers.
const UUID_FAMILY: pg_sys::Oid = pg_sys::Oid::from_u32(2968);
const DATETIME_FAMILY: pg_sys::Oid = pg_sys::Oid::from_u32(434);
const INTEGER_FAMILY: pg_sys::Oid = pg_sys::Oid::from_u32(1976);

/// A column of a key.
pub struct KeyColumn {
    pub(super) name: &'static CStr,
    /// Its type, or that of its domain: orders compare values of several types.
    kind: pg_sys::Oid,
    /// The function that compares it.
    pub(super) compare: u32,
    /// What that function has to say about the rows that are looked for.
    pub(super) strategy: u32,
    /// The order that its index has to have: operators and collation. A DBA's own index may have others,
    /// and a walk along it would end too early.
    order: (pg_sys::Oid, pg_sys::Oid),
    /// Whether the index has to have the largest first, where the order of the rows matters.
    descending: bool,
}

const fn column(
    (name, kind): (&'static CStr, pg_sys::Oid),
    compare: u32,
    order: (pg_sys::Oid, pg_sys::Oid),
) -> KeyColumn {
    KeyColumn { name, kind, compare, strategy: pg_sys::BTEqualStrategyNumber, order, descending: false }
}

/// A column of text in a key.
pub const fn text(name: &'static CStr) -> KeyColumn {
    column((name, pg_sys::TEXTOID), pg_sys::F_TEXTEQ, (pg_sys::TEXT_BTREE_FAM_OID, pg_sys::C_COLLATION_OID))
}

/// A column of UUIDs in a key.
pub const fn uuid(name: &'static CStr) -> KeyColumn {
    column((name, pg_sys::UUIDOID), pg_sys::F_UUID_EQ, (UUID_FAMILY, pg_sys::InvalidOid))
}

/// A column of days in a key.
pub const fn date(name: &'static CStr) -> KeyColumn {
    column((name, pg_sys::DATEOID), pg_sys::F_DATE_EQ, (DATETIME_FAMILY, pg_sys::InvalidOid))
}

/// A column of instants in a key.
pub const fn instant(name: &'static CStr) -> KeyColumn {
    column((name, pg_sys::TIMESTAMPTZOID), pg_sys::F_TIMESTAMPTZ_EQ, (DATETIME_FAMILY, pg_sys::InvalidOid))
}

/// The same column with the instants from the key's on, as the last of a key.
pub const fn instant_from(name: &'static CStr) -> KeyColumn {
    let strategy = pg_sys::BTGreaterEqualStrategyNumber;
    KeyColumn { compare: pg_sys::F_TIMESTAMPTZ_GE, strategy, ..instant(name) }
}

/// The same column with the instants after the key's, as the last of a key.
pub const fn instant_after(name: &'static CStr) -> KeyColumn {
    let strategy = pg_sys::BTGreaterStrategyNumber;
    KeyColumn { compare: pg_sys::F_TIMESTAMPTZ_GT, strategy, ..instant(name) }
}

/// A column of small integers in a key.
pub const fn int2(name: &'static CStr) -> KeyColumn {
    column((name, pg_sys::INT2OID), pg_sys::F_INT2EQ, (INTEGER_FAMILY, pg_sys::InvalidOid))
}

/// The same, the largest first in its index.
pub const fn int2_descending(name: &'static CStr) -> KeyColumn {
    KeyColumn { descending: true, ..int2(name) }
}

/// The same column with the numbers below the key's, as the last of a key.
pub const fn int2_below(name: &'static CStr) -> KeyColumn {
    let equal = int2_descending(name);
    KeyColumn { compare: pg_sys::F_INT2LT, strategy: pg_sys::BTLessStrategyNumber, ..equal }
}

/// A column of text with what comes after the key's, byte by byte, as the last of a key.
pub const fn text_after(name: &'static CStr) -> KeyColumn {
    KeyColumn { compare: pg_sys::F_TEXT_GT, strategy: pg_sys::BTGreaterStrategyNumber, ..text(name) }
}

/// A column of text with the key's own and what comes after it, as the last of a key.
pub const fn text_from(name: &'static CStr) -> KeyColumn {
    KeyColumn { compare: pg_sys::F_TEXT_GE, strategy: pg_sys::BTGreaterEqualStrategyNumber, ..text(name) }
}

/// A btree index that begins with these columns in their order and that every transaction may use by now. It has
/// all rows in which `present` is not NULL, or all rows, if there is no other: a walk passes over those that are not
/// looked for, and there may be many. Which way it goes matters only where rows are read in its order.
pub(super) unsafe fn index_on(
    table: pg_sys::Oid,
    attributes: &[pg_sys::AttrNumber],
    (key, in_order): (&[&KeyColumn], bool),
    present: Option<pg_sys::AttrNumber>,
) -> Option<pg_sys::Oid> {
    const MODE: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    unsafe {
        let relation = pg_sys::table_open(table, MODE);
        let all = cells(pg_sys::RelationGetIndexList(relation)).map(|cell| cell.oid_value);
        let mut of_all_rows = None;
        let of_wanted_rows = all.into_iter().find(|&oid| {
            let index = pg_sys::index_open(oid, MODE);
            let about = (*index).rd_index;
            let columns = (*about).indkey.values.as_slice((*about).indnkeyatts as usize);
            let fits = (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
                && (*about).indisvalid
                && (!(*about).indcheckxmin || {
                    let made_by = pg_sys::HeapTupleHeaderGetXmin((*(*index).rd_indextuple).t_data);
                    pg_sys::TransactionIdPrecedes(made_by, pg_sys::TransactionXmin)
                })
                && columns.starts_with(attributes)
                && key.iter().zip(attributes).all(|(column, &attribute)| {
                    pg_sys::getBaseType(pg_sys::get_atttype(table, attribute)) == column.kind
                })
                && key.iter().enumerate().all(|(i, column)| {
                    let descending = *(*index).rd_indoption.add(i) & pg_sys::INDOPTION_DESC as i16 != 0;
                    (*(*index).rd_opfamily.add(i), *(*index).rd_indcollation.add(i)) == column.order
                        && (!in_order || descending == column.descending)
                })
                && has_all_rows(index, present);
            let leaves_out = !pg_sys::RelationGetIndexPredicate(index).is_null();
            pg_sys::index_close(index, MODE);
            if fits && !leaves_out {
                of_all_rows = of_all_rows.or(Some(oid));
            }
            fits && (leaves_out || present.is_none())
        });
        pg_sys::table_close(relation, MODE);
        of_wanted_rows.or(of_all_rows)
    }
}

/// Whether the index leaves out no row, or only those in which the column is NULL.
unsafe fn has_all_rows(index: pg_sys::Relation, present: Option<pg_sys::AttrNumber>) -> bool {
    unsafe {
        let predicate = pg_sys::RelationGetIndexPredicate(index);
        if predicate.is_null() {
            return true;
        }
        let Some(present) = present.filter(|_| (*predicate).length == 1) else {
            return false;
        };
        let node: *mut pg_sys::Node = (*(*predicate).elements).ptr_value.cast();
        if (*node).type_ != pg_sys::NodeTag::T_NullTest {
            return false;
        }
        let test: *mut pg_sys::NullTest = node.cast();
        let tested: *mut pg_sys::Node = (*test).arg.cast();
        (*test).nulltesttype == pg_sys::NullTestType::IS_NOT_NULL
            && (*tested).type_ == pg_sys::NodeTag::T_Var
            && (*tested.cast::<pg_sys::Var>()).varattno == present
    }
}
