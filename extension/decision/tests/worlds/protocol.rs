//! What the extension does around the rule: `reserve` in its two halves, the jobs and the operators'
//! verbs. Each step is what one transaction does between two of its waits.

use std::rc::Rc;

use sendgate_decision::account::Account;
use sendgate_decision::books::{Audited, Counted, OVER_CAP_COOLDOWN};
use sendgate_decision::breaker::{Probe, Reading};
use sendgate_decision::budget::Budget;
use sendgate_decision::clock::Instant;
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::gate::{Request, Verdict};
use sendgate_decision::names::{ACTIONS, Action, BreakerMode, OperationState, Outcome};
use sendgate_decision::settle::Operation;
use sendgate_decision::window::Utc;

use crate::known;
use crate::properties::in_a_row;
use crate::rules::Recount;
use crate::settling;
use crate::state::{Look, Op, Plan, State};
use crate::time::{TTL, month};
use crate::worlds::{Event, World};

/// One step of a world. Operations and looks go by their place in the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The clock goes on to the next instant.
    Tick,
    /// A `reserve` reads the row and the journal, and decides.
    Look(u8),
    /// It writes, if the row is still the one it read.
    Write(usize),
    /// The worker calls the provider, inside the operation's time, and is accepted.
    Send(usize),
    /// Its worker dies.
    Crash(usize),
    /// A delivery is confirmed, with or without its chat id.
    Confirm { op: usize, proven: bool },
    /// A failure is reported.
    Rollback(usize, Outcome),
    /// An operator settles it.
    Resolve { op: usize, sent: bool },
    /// A webhook tells of it.
    Echo(usize),
    /// A send by hand.
    External,
    /// Layer 1 holds the row, counts and writes.
    Reconcile,
    /// Layer 1 counts without holding the row, where the rule under test writes that.
    Count,
    /// Layer 1 lists an operation that has expired.
    List(usize),
    /// Layer 2.
    Audit,
    /// The physical roll.
    Midnight,
    /// The counters change past every verb.
    Drift(i32),
    /// Operators.
    Clear,
    /// Stamps by hand.
    Arm,
    /// Grants a permit.
    Probe,
    /// Sets the mode.
    Force(BreakerMode),
    /// The balance that the provider shows is told.
    Tell,
    /// A credit is bought, once.
    Buy,
}

/// Every step that the world could take; some turn out to be impossible or to change nothing.
pub fn steps(world: &World, state: &State) -> Vec<Step> {
    let mut steps = vec![Step::Tick];
    let prospects = if world.prospects == 0 { 0..1 } else { 0..world.prospects };
    steps.extend(prospects.map(Step::Look));
    steps.extend((0..state.looks.len()).map(Step::Write));
    let sendable = |op: &Op| op.held && op.sent_at.is_none();
    steps.extend(each(state, sendable).map(Step::Send));
    for &event in world.events {
        let unproven = |op: &Op| op.sent_at.is_some() && op.event.is_none();
        let undelivered = |op: &Op| op.operation.state != OperationState::Delivered;
        match event {
            Event::Crash => steps.extend(each(state, |op| op.held).map(Step::Crash)),
            Event::Confirm => {
                steps.extend(each(state, unproven).map(|op| Step::Confirm { op, proven: true }));
            }
            Event::ConfirmUnproven => {
                steps.extend(each(state, unproven).map(|op| Step::Confirm { op, proven: false }));
            }
            Event::Rollback(outcome) => {
                steps.extend(each(state, undelivered).map(|op| Step::Rollback(op, outcome)));
            }
            Event::Resolve => {
                let by_the_ledger = |op: usize| Step::Resolve { op, sent: state.ops[op].sent_at.is_some() };
                steps.extend(each(state, undelivered).map(by_the_ledger));
            }
            Event::Echo => steps.extend(each(state, unproven).map(Step::Echo)),
            Event::External => steps.push(Step::External),
            Event::Reconcile => {
                steps.extend((world.rules.recount == Recount::Never).then_some(Step::Count));
                steps.push(Step::Reconcile);
            }
            Event::List => steps.extend(each(state, |op| !op.operation.listed).map(Step::List)),
            Event::Audit => steps.push(Step::Audit),
            Event::Midnight => steps.push(Step::Midnight),
            Event::Drift(by) => steps.push(Step::Drift(by)),
            Event::Clear => steps.push(Step::Clear),
            Event::Arm => steps.push(Step::Arm),
            Event::Probe => steps.push(Step::Probe),
            Event::Force(mode) => steps.push(Step::Force(mode)),
            Event::Tell => steps.push(Step::Tell),
            Event::Buy => steps.push(Step::Buy),
        }
    }
    steps
}

fn each(state: &State, which: impl Fn(&Op) -> bool) -> impl Iterator<Item = usize> {
    let places: Vec<usize> = (0..state.ops.len()).filter(|&place| which(&state.ops[place])).collect();
    places.into_iter()
}

/// The world after a step; none where it is impossible.
pub fn take(world: &World, state: &State, step: Step) -> Option<State> {
    let now = world.now(state.at);
    let mut next = state.clone();
    let done = match step {
        Step::Tick => {
            next.at += 1;
            let goes_on = next.at < world.moments.len();
            if goes_on {
                known::provider_lives(world, &mut next, now);
            }
            goes_on
        }
        Step::Look(prospect) => look(world, &mut next, prospect, now),
        Step::Write(place) => write(world, &mut next, place, now),
        Step::Reconcile => reconcile(world, &mut next, now),
        Step::Count => count_early(world, &mut next, now),
        Step::Audit => audit(world, &mut next, now),
        Step::Midnight => midnight(world, &mut next, now),
        Step::Drift(by) => spoil(&mut next, by, now),
        Step::Tell => known::tell(world, &mut next, now),
        Step::Buy => known::buy(&mut next),
        Step::Clear | Step::Arm | Step::Probe | Step::Force(_) => operate(world, &mut next, step, now),
        _ => settling::settle(world, &mut next, step, now),
    };
    if !done {
        return None;
    }
    // A clear holds from when it was decided.
    let decided_at = match step {
        Step::Write(place) => state.looks[place].decided_at,
        _ => now,
    };
    note_the_stamp(state, &mut next, decided_at);
    next.in_a_row = in_a_row(world, state, step, &next);
    Some(next)
}

/// Writes the row: whatever was read before has an old version now.
pub fn write_row(state: &mut State, account: Account) {
    state.account = account;
    for look in &mut state.looks {
        look.stale = true;
    }
}

/// When the stamp is cleared or replaced, operations are no longer its probes.
fn note_the_stamp(before: &State, after: &mut State, now: Instant) {
    if before.account.breaker.exhausted_at != after.account.breaker.exhausted_at {
        for op in &mut after.ops {
            op.probing = false;
        }
        if before.account.breaker.exhausted_at.is_some() {
            after.cleared_at = Some(now);
        }
    }
}

/// Whether the breaker stops InMails, told from the stamp and the calendar alone.
pub fn is_stopped(account: &Account, now: Instant) -> bool {
    match account.breaker.mode {
        BreakerMode::Open => true,
        BreakerMode::Closed => false,
        BreakerMode::Auto => account.breaker.exhausted_at.is_some_and(|stamp| month(stamp) == month(now)),
    }
}

fn look(world: &World, state: &mut State, prospect: u8, now: Instant) -> bool {
    if state.busy() >= world.workers || state.ops.len() + state.looks.len() >= world.operations {
        return false;
    }
    let id = state.fresh_id();
    // Where operations have prospects of their own, nothing is known about a new one.
    let prospect = if world.prospects == 0 { id[0] } else { prospect };
    let breaker = &state.account.breaker;
    let open = matches!(breaker.read(state.account.credit_reset_day, now), Reading::Open { .. });
    let request = Request {
        account_id: "account",
        action: Action::Inmail,
        now,
        operation: id,
        paused: false,
        evidence: open && state.ops.iter().any(|op| (world.rules.proves)(breaker, op, now)),
        first_expiry: (world.rules.first_expiry)(state, now),
        prospect: Some((world.rules.history)(state, prospect, now)),
        suppressed: None,
        campaign: None,
        tier: world.tier(),
        limits: world.limits,
        prospect_cooldown: world.prospect_cooldown(),
        operation_ttl: TTL,
        zone: &Utc,
    };
    let plan = match (world.rules.decide)(&state.account, &request) {
        Verdict::Grant(grant) => Plan::Grant(Rc::from(grant)),
        Verdict::ClearBreaker(_) => {
            let mut row = state.account.rolled(now);
            row.breaker.clear(now);
            Plan::First(Rc::new(row))
        }
        Verdict::ArmBreaker => {
            let mut row = state.account.rolled(now);
            let reset_day = row.credit_reset_day;
            row.breaker.arm_for(Cause::Spent, reset_day, now, now);
            Plan::First(Rc::new(row))
        }
        Verdict::NeedsPeriod => Plan::First(Rc::new(known::carried(state, now).rolled(now))),
        _ => return false,
    };
    state.looks.push(Look { id, prospect, decided_at: now, stale: false, plan });
    true
}

/// The guarded write. What does not go through, or no longer holds, is decided again: that is a look
/// like any other.
fn write(world: &World, state: &mut State, place: usize, now: Instant) -> bool {
    let look = state.looks.remove(place);
    if !(world.rules.finds_version)(look.stale) {
        return true;
    }
    match look.plan {
        Plan::First(row) => write_row(state, (*row).clone()),
        Plan::Grant(grant) if (world.rules.holds)(&grant, look.decided_at, now) => {
            let probing = is_stopped(&state.account, now);
            write_row(state, grant.account.clone());
            state.ops.push(Op {
                operation: Operation {
                    id: look.id,
                    action: Action::Inmail,
                    state: OperationState::Reserved,
                    counted_on: grant.counted_on,
                    reserved_at: look.decided_at,
                    expires_at: grant.expires_at,
                    outcome: None,
                    is_attempt: true,
                    listed: false,
                    settled_at: None,
                    beyond_credits: false,
                },
                prospect: look.prospect,
                external: false,
                held: true,
                sent_at: None,
                event: None,
                resolved_at: None,
                before_balance: false,
                probing,
                denied: false,
                freed: 0,
            });
        }
        Plan::Grant(_) => {}
    }
    true
}

/// What the journal counts on the day that the row is on at `now`, and on the days before it.
pub fn count(world: &World, state: &State, now: Instant) -> [Counted; ACTIONS] {
    let row = state.account.rolled(now);
    let mut counted = [Counted::default(); ACTIONS];
    let of = &mut counted[Action::Inmail.index()];
    for op in state.ops.iter().filter(|op| (world.rules.counts)(op, now)) {
        let ago = row.day.0 - op.operation.counted_on.0;
        let Some(parts) = of.days.get_mut(ago as usize) else { continue };
        match op.operation.state {
            OperationState::Delivered => parts.delivered += 1,
            OperationState::Reserved => parts.reserved += 1,
            OperationState::Indeterminate => parts.indeterminate += 1,
            OperationState::Released => {}
        }
    }
    of.attempts = state.ops.iter().filter(|op| op.is_attempt_on(row.day)).count() as i32;
    counted
}

fn healed(world: &World, state: &State, now: Instant) -> Option<Account> {
    let mut row = state.account.rolled(now);
    let corrections = (world.rules.reconcile)(&mut row, &count(world, state, now));
    (!corrections.is_empty()).then_some(row)
}

/// Layer 1. Its first, lock-free count only chooses whom to look at.
fn reconcile(world: &World, state: &mut State, now: Instant) -> bool {
    let written = match world.rules.recount {
        Recount::Held => healed(world, state, now),
        Recount::Never => state.counted.take().map(|row| (*row).clone()),
    };
    if let Some(row) = written {
        write_row(state, row);
    }
    state.drifted = false;
    true
}

fn count_early(world: &World, state: &mut State, now: Instant) -> bool {
    state.counted = healed(world, state, now).map(Rc::new);
    state.counted.is_some()
}

fn audit(world: &World, state: &mut State, now: Instant) -> bool {
    let account = &state.account;
    if account.day < now.day() {
        return false;
    }
    let on_the_day = |op: &&Op| op.operation.counted_on == account.day;
    let audited = Audited {
        counter: account.sent_today[Action::Inmail.index()],
        events: state.ops.iter().filter(on_the_day).filter(|op| op.event.is_some()).count() as i32,
        in_flight: state.ops.iter().filter(on_the_day).filter(|op| op.in_flight(now)).count() as i32,
        cap: account.inmail_cap_today.max(Budget::of(account, Action::Inmail, &world.tier()).daily_cap),
    };
    let raised = world.rules.cools_once_a_day && state.cooled_on == Some(account.day);
    if !audited.is_over_cap() || raised {
        return false;
    }
    let mut row = account.rolled(now);
    row.cool_down(now.plus(OVER_CAP_COOLDOWN));
    state.cooled_on = Some(row.day);
    write_row(state, row);
    true
}

fn midnight(world: &World, state: &mut State, now: Instant) -> bool {
    let account = &state.account;
    if account.day >= now.day() || account.sent_today.iter().all(|&sent| sent == 0) {
        return false;
    }
    let mut row = account.clone();
    (world.rules.roll)(&mut row, now);
    write_row(state, row);
    true
}

fn spoil(state: &mut State, by: i32, now: Instant) -> bool {
    let i = Action::Inmail.index();
    let mut row = state.account.rolled(now);
    row.sent_today[i] += by;
    if state.spoiled || row.sent_today[i] < 0 {
        return false;
    }
    (state.drifted, state.spoiled) = (true, true);
    write_row(state, row);
    true
}

fn operate(world: &World, state: &mut State, step: Step, now: Instant) -> bool {
    let mut row = state.account.rolled(now);
    let reset_day = row.credit_reset_day;
    match step {
        Step::Clear => {
            row.breaker.clear(now);
            row.breaker.cleared_at = Some(now);
            state.cleared_at = Some(now);
        }
        Step::Arm => {
            row.breaker.arm(reset_day, now, now);
        }
        Step::Probe => {
            let open = matches!(row.breaker.read(reset_day, now), Reading::Open { .. });
            if !open || !(world.rules.may_probe)(&row.breaker, now) {
                return false;
            }
            row.breaker.probe = Some(Probe { lease_until: now.plus(TTL), taken_by: None });
        }
        Step::Force(mode) => row.breaker.mode = mode,
        _ => return false,
    }
    write_row(state, row);
    true
}
