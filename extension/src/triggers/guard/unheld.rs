//! Gives back the operations that no row holds.
//!
//! BEFORE INSERT fires before `ON CONFLICT DO NOTHING`, or another trigger, drops the row, and
//! before `DO UPDATE` keeps the id of an older operation; BEFORE UPDATE fires before another trigger drops
//! the update or writes the column. So the operations that `guard_send`
//! granted are looked up once more before the transaction commits or is prepared, and those that no
//! row holds are given back: their ids are stored nowhere else, so they could never be settled.

use crate::postgres::deferred;
use crate::postgres::error::Result;
use crate::postgres::function;
use crate::postgres::param::{Element, array, types};
use crate::postgres::statement::{Spi, Statement};
use crate::postgres::trigger::{Column, Fired};
use crate::settle::batch::Keys;
use crate::triggers::guard::table::{IdColumn, as_user, look_up};
use crate::verbs::rollback_many;
use pgrx::datum::Uuid;
use pgrx::{IntoDatum, pg_sys};
use sendgate_decision::names::OperationId;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;

/// Those that are still in flight: an operation that the same transaction settled needs no row any more.
static IN_FLIGHT: Statement = Statement::new(
    "SELECT o.account_id, o.operation_id
     FROM unnest($1::pg_catalog.text[], $2::pg_catalog.uuid[]) AS g (account_id, operation_id)
     JOIN sendgate.send_operations o
         ON o.account_id OPERATOR(pg_catalog.=) g.account_id
            AND o.operation_id OPERATOR(pg_catalog.=) g.operation_id
     WHERE o.state OPERATOR(pg_catalog.=) 'reserved'",
    types![texts, uuids],
);

/// Where granted ids were written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    /// The table; of a partitioned one, the partition.
    table: u32,
    /// The partitioned table above all: a row may have moved to any other of its partitions.
    root: Option<u32>,
    /// The column's number in the table.
    number: i16,
    /// Its name, which all partitions have in common.
    name: String,
}

/// An operation that `guard_send` granted in this transaction.
struct Granted {
    target: Target,
    account: String,
    operation: OperationId,
    subtransaction: pg_sys::SubTransactionId,
    /// With whose rights it was granted, and is given back.
    owner: pg_sys::Oid,
}

thread_local! {
    static GRANTED: RefCell<Vec<Granted>> = const { RefCell::new(Vec::new()) };
}

/// Listens for the ends of transactions; called when the library is loaded.
pub fn watch() {
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ends), std::ptr::null_mut());
    }
}

/// Remembers a grant until its transaction ends.
pub(super) fn remember(
    fired: &Fired<'_>,
    column: Column,
    name: &str,
    account: String,
    operation: OperationId,
) {
    let root = fired.declared().is_on_partition().then(|| root_of(fired.relation())).flatten();
    let target = Target {
        table: fired.relation().to_u32(),
        root,
        number: column.number as i16,
        name: name.to_owned(),
    };
    let (subtransaction, owner) = unsafe { (pg_sys::GetCurrentSubTransactionId(), pg_sys::GetUserId()) };
    let granted = Granted { target, account, operation, subtransaction, owner };
    GRANTED.with_borrow_mut(|all| all.push(granted));
}

/// Whether this transaction took the slot for a row.
pub(super) fn is_remembered(operation: OperationId) -> bool {
    GRANTED.with_borrow(|all| all.iter().any(|one| one.operation == operation))
}

/// The partitioned table above all, where the table is a partition and is there.
fn root_of(table: pg_sys::Oid) -> Option<u32> {
    let root: Option<pg_sys::Oid> =
        unsafe { pgrx::direct_function_call(pg_sys::pg_partition_root, &[table.into_datum()]) };
    root.filter(|&root| root != table).map(pg_sys::Oid::to_u32)
}

unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _arg: *mut c_void) {
    const PRE_COMMIT: pg_sys::XactEvent::Type = pg_sys::XactEvent::XACT_EVENT_PRE_COMMIT;
    const PRE_PREPARE: pg_sys::XactEvent::Type = pg_sys::XactEvent::XACT_EVENT_PRE_PREPARE;
    unsafe {
        function::run(|| match (GRANTED.take(), event) {
            (granted, PRE_COMMIT | PRE_PREPARE) => settle_unheld(granted, event == PRE_PREPARE),
            _ => Ok(()),
        });
    }
}

/// What is rolled back to a savepoint took its operations with it.
#[pgrx::pg_guard]
unsafe extern "C-unwind" fn subtransaction_ends(
    event: pg_sys::SubXactEvent::Type,
    own: pg_sys::SubTransactionId,
    parent: pg_sys::SubTransactionId,
    _arg: *mut c_void,
) {
    GRANTED.with_borrow_mut(|all| match event {
        pg_sys::SubXactEvent::SUBXACT_EVENT_ABORT_SUB => all.retain(|one| one.subtransaction != own),
        pg_sys::SubXactEvent::SUBXACT_EVENT_COMMIT_SUB => {
            let of_it = all.iter_mut().filter(|one| one.subtransaction == own);
            of_it.for_each(|one| one.subtransaction = parent);
        }
        _ => {}
    });
}

/// PostgreSQL has fired the transaction's deferred triggers by now, constraint triggers and foreign keys among them. So
/// those that wait for what is written here are fired here; they may ask the gate again.
fn settle_unheld(mut granted: Vec<Granted>, is_prepare: bool) -> Result<()> {
    while !granted.is_empty() {
        if give_back_unheld(granted)? {
            deferred::fire(is_prepare);
        }
        granted = GRANTED.take();
    }
    Ok(())
}

/// Whether any was given back.
fn give_back_unheld(granted: Vec<Granted>) -> Result<bool> {
    unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot()) };
    let any = Spi::connect(|spi| {
        let unheld = unheld(spi, granted);
        if let Some(first) = unheld.first() {
            as_user(first.owner, || give_back(spi, &unheld))?;
        }
        Ok(!unheld.is_empty())
    })?;
    unsafe { pg_sys::PopActiveSnapshot() };
    Ok(any)
}

/// Those whose ids no row holds, by one query for each table.
fn unheld(spi: &Spi, granted: Vec<Granted>) -> Vec<Granted> {
    let mut targets: BTreeMap<Target, Vec<Granted>> = BTreeMap::new();
    for one in granted {
        targets.entry(one.target.clone()).or_default().push(one);
    }
    let mut unheld = Vec::new();
    for (target, granted) in targets {
        let mut missing = granted.iter().map(|one| one.operation).collect();
        let table = pg_sys::Oid::from(target.table);
        look_up(spi, table, IdColumn::Number(target.number), &mut missing);
        // A row that is not in its partition any more may be in another.
        for root in BTreeSet::from([target.root, root_of(table)]).into_iter().flatten() {
            look_up(spi, pg_sys::Oid::from(root), IdColumn::Name(&target.name), &mut missing);
        }
        unheld.extend(granted.into_iter().filter(|one| missing.contains(&one.operation)));
    }
    unheld
}

fn give_back(spi: &Spi, unheld: &[Granted]) -> Result<()> {
    let accounts = array(Element::Text, unheld.iter().map(|one| &one.account));
    let operations = array(Element::Uuid, unheld.iter().map(|one| one.operation));
    let rows = spi.run(&IN_FLIGHT, &[accounts, operations]);
    let (accounts, operations) =
        rows.iter().map(|mut row| (row.value::<String>(), *row.value::<Uuid>().as_bytes())).unzip();
    rollback_many::give_back(spi, &Keys { accounts, operations })
}
