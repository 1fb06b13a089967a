//! Sending, and what settles an operation: each holds the row, reads the operation, decides and writes,
//! so each is one step. Which answers are no-ops is decided by the extension and copied from there.

use sendgate_decision::account::Account;
use sendgate_decision::clock::{HOUR, Instant};
use sendgate_decision::external::{Candidate, Reading, Told, read, record};
use sendgate_decision::names::{Action, OperationId, OperationState, Origin, Outcome, Scope};
use sendgate_decision::settle::{Delivery, Failure, Operation};

use crate::known;
use crate::protocol::{Step, write_row};
use crate::rules::is_for_an_operator;
use crate::state::{Op, State};
use crate::worlds::World;

/// How long a rate limit cools the account down.
const RATE_LIMIT: i64 = HOUR;

/// A failure with this outcome.
fn failed(outcome: Outcome) -> Failure {
    Failure { outcome, scope: Scope::Account, wait: RATE_LIMIT }
}

/// Takes one of the steps about an operation; false where it is impossible or does nothing.
pub fn settle(world: &World, state: &mut State, step: Step, now: Instant) -> bool {
    match step {
        Step::Send(op) => send(state, op, now),
        Step::Crash(op) => std::mem::take(&mut state.ops[op].held),
        Step::Confirm { op, proven } => confirm(world, state, op, proven, now),
        Step::Rollback(op, outcome) => rollback(world, state, op, outcome, now),
        Step::Resolve { op, sent } => resolve(world, state, op, sent, now),
        Step::List(op) => list(world, state, op, now),
        Step::Echo(op) => echo(world, state, op, now),
        Step::External => external(world, state, now),
        _ => false,
    }
}

/// A worker obeys `expires_at`, and calls the provider once.
fn send(state: &mut State, place: usize, now: Instant) -> bool {
    let op = &mut state.ops[place];
    let may = op.held && op.sent_at.is_none() && op.in_flight(now);
    if may {
        op.sent_at = Some(now);
        state.provider -= 1;
    }
    may
}

/// Notes how the row's counters moved for an operation whose day is still counted.
fn write_settled(state: &mut State, place: usize, account: Account, now: Instant) {
    let i = Action::Inmail.index();
    let before = state.account.rolled(now);
    let slots = |row: &Account| row.sent_in_seven_days(Action::Inmail).unwrap_or(row.sent_today[i]);
    let moved = slots(&before) - slots(&account);
    state.ops[place].freed += moved as i8;
    write_row(state, account);
}

fn confirm(world: &World, state: &mut State, place: usize, proven: bool, now: Instant) -> bool {
    let op = &state.ops[place];
    let Some(sent_at) = op.sent_at else { return false };
    let open = matches!(op.operation.state, OperationState::Reserved | OperationState::Released);
    if op.event.is_some() || (!proven && !open) {
        return false;
    }
    let occurred_at = sent_at.max(op.operation.reserved_at);
    let delivery = Delivery { proven, occurred_at, by_operator: false };
    let settled = (world.rules.deliver)(&known::carried(state, now), &op.operation, delivery, now);
    if settled.account != state.account || settled.after_rollback {
        write_settled(state, place, settled.account, now);
    }
    let op = &mut state.ops[place];
    op.held = false;
    (op.operation.state, op.operation.outcome) = (settled.state, settled.outcome);
    op.operation.settled_at = op.is_settled().then_some(now);
    op.event = proven.then_some((occurred_at, now));
    true
}

fn rollback(world: &World, state: &mut State, place: usize, outcome: Outcome, now: Instant) -> bool {
    let denied = state.ops.iter().filter(|op| op.denied).count();
    let op = &state.ops[place];
    let denies = outcome != Outcome::Indeterminate && op.sent_at.is_some() && !op.denied;
    if denies && denied >= world.denials {
        return false;
    }
    match op.operation.state {
        OperationState::Delivered => return false,
        OperationState::Released if world.rules.repeats_do_nothing => return false,
        OperationState::Indeterminate if matches!(outcome, Outcome::Released | Outcome::Indeterminate) => {
            return false;
        }
        _ => {}
    }
    let row = known::carried(state, now);
    let settled = (world.rules.fail)(&row, &op.operation, &failed(outcome), &world.limits, now);
    if settled.account != state.account {
        write_settled(state, place, settled.account, now);
    }
    let op = &mut state.ops[place];
    op.held = false;
    op.denied |= denies;
    (op.operation.state, op.operation.outcome) = (settled.state, settled.outcome);
    op.operation.settled_at = op.is_settled().then_some(now);
    true
}

/// Layer 1 lists an expired operation.
fn list(world: &World, state: &mut State, place: usize, now: Instant) -> bool {
    let op = &state.ops[place].operation;
    if op.state != OperationState::Reserved || now < op.expires_at || op.listed {
        return false;
    }
    let listed = (world.rules.expire)(&state.account, op, &world.limits, now);
    if listed.account != state.account {
        write_row(state, listed.account);
    }
    state.ops[place].operation.listed = true;
    true
}

/// The operator looks into the provider's ledger. A sent InMail whose chat id he does not find stays
/// without proof.
fn resolve(world: &World, state: &mut State, place: usize, sent: bool, now: Instant) -> bool {
    let op = &state.ops[place];
    if !is_for_an_operator(op, now) {
        return false;
    }
    if sent {
        let op = &mut state.ops[place];
        (op.held, op.resolved_at) = (false, Some(now));
        op.operation.state = OperationState::Delivered;
        op.operation.settled_at = Some(now);
        return true;
    }
    let row = known::carried(state, now);
    let settled = (world.rules.fail)(&row, &op.operation, &Failure::NOT_SENT, &world.limits, now);
    write_settled(state, place, settled.account, now);
    let op = &mut state.ops[place];
    op.held = false;
    (op.operation.state, op.operation.outcome) = (settled.state, settled.outcome);
    op.operation.settled_at = Some(now);
    true
}

/// A webhook: the extension finds out whose delivery it is.
fn echo(world: &World, state: &mut State, place: usize, now: Instant) -> bool {
    let told = &state.ops[place];
    let (Some(sent_at), false) = (told.sent_at, told.external) else { return false };
    let (prospect, id) = (told.prospect, told.operation.id);
    let same = |op: &&Op| op.prospect == prospect;
    // Its chat id is that of its own event and of no other.
    let candidates: Vec<Candidate> = state.ops.iter().filter(same).map(|op| candidate(op, id)).collect();
    let told = Told { action: Action::Inmail, has_chat_id: true, occurred_at: sent_at, told_at: sent_at };
    match read(&candidates, &told, world.rules.late_delivery) {
        Reading::Known(_) => false,
        Reading::Delivers(id) => {
            let whose = state.ops.iter().position(|op| op.operation.id == id).expect("a candidate");
            state.ops[whose].sent_at.get_or_insert(sent_at);
            confirm(world, state, whose, true, now)
        }
        Reading::New => {
            let known = state.ops.iter().any(|op| op.external && op.prospect == prospect);
            !known && record_send(world, state, prospect, sent_at, now)
        }
    }
}

fn candidate(op: &Op, told: OperationId) -> Candidate {
    Candidate {
        id: op.operation.id,
        origin: if op.external { Origin::External } else { Origin::Gate },
        state: op.operation.state,
        outcome: op.operation.outcome,
        reserved_at: op.operation.reserved_at,
        expires_at: op.operation.expires_at,
        settled_at: op.event.map(|(_, recorded_at)| recorded_at).or(op.resolved_at),
        event: op.event.map(|_| (op.operation.id, op.operation.id == told)),
    }
}

fn external(world: &World, state: &mut State, now: Instant) -> bool {
    let by_hand = state.ops.iter().any(|op| op.external);
    let prospect = state.fresh_id()[0];
    !by_hand && state.ops.len() < world.operations && record_send(world, state, prospect, now, now)
}

fn record_send(world: &World, state: &mut State, prospect: u8, sent_at: Instant, now: Instant) -> bool {
    let id = state.fresh_id();
    let recorded = record(&state.account, Action::Inmail, sent_at, &world.tier(), now);
    write_row(state, recorded.account);
    state.ops.push(Op {
        operation: Operation {
            id,
            action: Action::Inmail,
            state: OperationState::Delivered,
            counted_on: recorded.counted_on,
            reserved_at: sent_at,
            expires_at: sent_at,
            outcome: None,
            is_attempt: false,
            listed: false,
            settled_at: None,
            beyond_credits: false,
        },
        prospect,
        external: true,
        held: false,
        sent_at: Some(sent_at),
        event: Some((sent_at, now)),
        resolved_at: None,
        before_balance: false,
        probing: false,
        denied: false,
        freed: 0,
    });
    true
}
