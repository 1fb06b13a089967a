//! InMail credits that are known: what the provider has, what it shows, and what the row makes of it.

use std::borrow::Cow;

use sendgate_decision::account::Account;
use sendgate_decision::clock::{Instant, credit_period_start};
use sendgate_decision::credits::journal::{Fate, Sending, Told, unanswered};
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::credits::{Allowance, Credits, Observation};
use sendgate_decision::names::OperationState;

use crate::properties::Transition;
use crate::protocol::write_row;
use crate::state::{Op, State};
use crate::time::month;
use crate::worlds::World;

/// What a period adds: more than operations can ever be owed, and no ceiling that cuts it off.
const MONTHLY: i32 = 3;
const ALLOWANCE: Allowance = Allowance { monthly: Some(MONTHLY), ceiling: Some(100) };

/// The world before anything has happened. What the provider has at first is told.
pub fn start(world: &World) -> State {
    let now = world.now(0);
    let mut state = State::start(now);
    if let Some(balance) = world.balance {
        (state.provider, state.told) = (balance, Some((balance, now)));
        state.account.credits =
            Some(Credits { left: balance, base: balance, since: now, observed_at: now, spent_at: None });
    }
    state
}

/// The provider grants a new period's credits, when the clock has gone on from `before`.
pub fn provider_lives(world: &World, state: &mut State, before: Instant) {
    if world.balance.is_some() && month(before) != month(world.now(state.at)) {
        state.provider += MONTHLY;
    }
}

/// A credit more at the provider, which the gate does not know.
pub fn buy(state: &mut State) -> bool {
    state.provider += 1;
    !std::mem::replace(&mut state.topped_up, true)
}

/// The InMails of the journal that expire after an instant.
fn journal(state: &State, since: Instant) -> Vec<Sending> {
    let later = state.ops.iter().filter(|op| op.operation.expires_at > since);
    later.map(sending).collect()
}

fn sending(op: &Op) -> Sending {
    let o = &op.operation;
    let fate = match o.state {
        OperationState::Reserved | OperationState::Indeterminate => Fate::Unanswered,
        OperationState::Delivered => Fate::Delivered,
        OperationState::Released => Fate::GivenBack,
    };
    Sending { reserved_at: o.reserved_at, expires_at: o.expires_at, settled_at: o.settled_at, fate }
}

/// The row with its credits carried over the period starts that it has not lived through yet.
pub fn carried(state: &State, now: Instant) -> Cow<'_, Account> {
    let mut row = Cow::Borrowed(&state.account);
    while let Some(start) = row.credits_due(now) {
        let spent_at = row.credits.and_then(|credits| credits.spent_at);
        let open = unanswered(&journal(state, start), start, spent_at);
        row.to_mut().begin_credit_period(start, open, ALLOWANCE);
    }
    row
}

/// `record_credit_balance` with what the provider shows now.
pub fn tell(world: &World, state: &mut State, now: Instant) -> bool {
    let mut row = carried(state, now).rolled(now);
    let page = Observation { balance: state.provider, observed_at: now };
    let sendings = journal(state, now);
    let calendar = row.calendar();
    if let Told::Counts(known) =
        (world.rules.tell)(row.credits.as_ref(), page, &sendings, &calendar, ALLOWANCE, now)
    {
        row.credits = known;
    }
    let period = credit_period_start(row.credit_reset_day, now);
    if let Some(stamp) = row.breaker.exhausted_at.filter(|&stamp| stamp >= period)
        && row.breaker.cause.is_cleared_by(stamp, &page, row.credits.as_ref())
    {
        row.breaker.clear(now);
    }
    write_row(state, row);
    state.told = Some((page.balance, now));
    for op in &mut state.ops {
        op.before_balance = op.is_settled() || now >= op.operation.expires_at;
    }
    true
}

/// As many as the row would still grant, and those that workers may still send: the provider has a credit for each.
pub fn known_credits_cover_every_call(t: &Transition<'_>) -> bool {
    let now = t.world.now(t.after.at);
    let Some(credits) = carried(t.after, now).credits else { return true };
    let to_come = t.after.ops.iter().filter(|op| op.held && op.sent_at.is_none() && op.in_flight(now));
    credits.left.max(0) + to_come.count() as i32 <= t.after.provider
}

/// Until the next period: the balance, less the operations that were unanswered when it was told or are granted since,
/// unless they came back.
pub fn credits_left_are_the_sum_of_their_parts(t: &Transition<'_>) -> bool {
    let (Some(credits), Some((balance, told_at))) = (t.after.account.credits, t.after.told) else {
        return true;
    };
    let taken = t.after.ops.iter().filter(|op| op.is_kept() && !op.before_balance).count() as i32;
    month(told_at) != month(t.world.now(t.after.at)) || credits.left == balance - taken
}

/// The row stamps itself only where no credit is left and no InMail is under way; its stamp goes with the first
/// credit.
pub fn the_own_stamp_means_no_credits(t: &Transition<'_>) -> bool {
    let now = t.world.now(t.after.at);
    let own = |state: &State| {
        let breaker = &state.account.breaker;
        breaker.exhausted_at.filter(|&stamp| breaker.cause == Cause::Spent && month(stamp) == month(now))
    };
    let Some(stamp) = own(t.after) else { return true };
    let is_new = own(t.before) != Some(stamp);
    let under_way = t.before.ops.iter().any(|op| op.in_flight(now));
    let none_left = carried(t.after, now).credits.is_some_and(|credits| credits.left <= 0);
    none_left && !(is_new && under_way)
}
