//! Writes the slots of a plan where their rows lie, without statements (`postgres/table_write.rs`). What cannot be
//! written like this is left to the statements of [`super::write`], which do the same.

use crate::postgres::param::{IntoParam, Param};
use crate::postgres::table_write::Table;
use crate::tables::accounts::held::Held;
use crate::tables::accounts::straight::{self, Change};
use crate::verbs::dispatch::batch::{Batch, outcome_of};
use crate::verbs::dispatch::plan::{Plan, Slot};
use pgrx::pg_sys::{BOOLOID, DATEOID, INT2OID, INT4OID, TEXTOID, TIMESTAMPTZOID, UUIDOID};
use sendgate_decision::names::Reason;

static JOURNAL: Table = Table::inserted(
    c"send_operations",
    &[
        ("operation_id", UUIDOID),
        ("reserved_at", TIMESTAMPTZOID),
        ("expires_at", TIMESTAMPTZOID),
        ("counted_on", DATEOID),
        ("account_id", TEXTOID),
        ("prospect_id", TEXTOID),
        ("action", TEXTOID),
        ("campaign_id", TEXTOID),
        ("attempt", INT2OID),
        ("step", INT2OID),
        ("awaited", BOOLOID),
        ("beyond_credits", BOOLOID),
        ("state", TEXTOID),
        ("origin", TEXTOID),
        ("settled_at", TIMESTAMPTZOID),
        ("outcome", TEXTOID),
        ("http_status", INT4OID),
        ("error_type", TEXTOID),
        ("error", TEXTOID),
        ("unknown_since", TIMESTAMPTZOID),
    ],
    &[c"send_operations_sound_check"],
);

static WORK: Table = Table::changed(
    c"enrollments",
    &[
        ("state", TEXTOID),
        ("next_dispatch_at", TIMESTAMPTZOID),
        ("attempts", INT4OID),
        ("reason", TEXTOID),
        ("operation_id", UUIDOID),
        ("changed_at", TIMESTAMPTZOID),
    ],
    &[c"enrollments_sending_check", c"enrollments_waiting_check"],
);

/// Writes the accounts that the plan changes; those that are left, by their index.
pub(super) fn write_accounts(batch: &Batch<'_>, plan: &Plan) -> Vec<usize> {
    let changed: Vec<usize> = (0..plan.accounts.len()).filter(|&i| plan.accounts[i].is_some()).collect();
    let change = |&i: &usize| {
        let visited = &batch.visited[i];
        let change = Change {
            at: visited.at,
            before: &visited.row.account,
            after: plan.accounts[i].as_ref()?,
            turns: plan.turns[i].as_ref(),
        };
        Some((visited.held(), change))
    };
    let changes: Vec<(Held<'_>, Change<'_>)> = changed.iter().filter_map(change).collect();
    straight::write(&changes).into_iter().map(|at| changed[at]).collect()
}

/// Puts the slots into the journal; `false` where a statement has to.
pub(super) fn insert_operations(batch: &Batch<'_>, slots: &[(usize, &Slot)]) -> bool {
    let attempt = |i: usize| i16::try_from(batch.candidates[i].attempts.saturating_add(1));
    if slots.iter().any(|(i, _)| attempt(*i).is_err()) {
        return false;
    }
    let Some(mut journal) = JOURNAL.open() else {
        return false;
    };
    let (reserved, gate) = ("reserved".param(), "gate".param());
    let row = |(i, slot): &(usize, &Slot)| -> Vec<Param> {
        let candidate = &batch.candidates[*i];
        let nothing = None::<i32>.param();
        vec![
            slot.operation.param(),
            batch.now.param(),
            slot.expires_at.param(),
            slot.counted_on.param(),
            batch.account(*i).param(),
            candidate.prospect.as_str().param(),
            batch.action(*i).name().param(),
            candidate.campaign.as_str().param(),
            attempt(*i).ok().param(),
            candidate.step.param(),
            slot.awaited.then_some(true).param(),
            slot.beyond_credits.then_some(true).param(),
            reserved,
            gate,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
            nothing,
        ]
    };
    let rows: Vec<Vec<Param>> = slots.iter().map(row).collect();
    journal.insert(&rows);
    journal.close();
    true
}

/// Writes what becomes of the enrollments; the fates that are left, by their place in the plan.
pub(super) fn update_enrollments(batch: &Batch<'_>, plan: &Plan) -> Vec<usize> {
    let all = || (0..plan.fates.len()).collect();
    if plan.fates.is_empty() {
        return Vec::new();
    }
    let Some(mut work) = WORK.open() else {
        return all();
    };
    let mut left = Vec::new();
    for (at, (i, fate)) in plan.fates.iter().enumerate() {
        let candidate = &batch.candidates[*i];
        if !work.read(candidate.at) {
            left.push(at);
            continue;
        }
        let (state, due_at, attempts, reason, operation) = outcome_of(candidate, fate);
        work.set(0, state.name().param());
        work.set(1, due_at.param());
        work.set(2, attempts.param());
        work.set(3, reason.map(Reason::name).param());
        if operation.is_some() {
            work.set(4, operation.param());
        }
        work.set(5, batch.now.param());
        if !work.update() {
            left.push(at);
        }
    }
    work.close();
    left
}
