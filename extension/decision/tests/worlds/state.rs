//! What a world is made of at one moment.

use std::hash::{Hash, Hasher};
use std::rc::Rc;

use sendgate_decision::account::{Account, CapOverride, DAYS_BEFORE, Pace};
use sendgate_decision::breaker::Breaker;
use sendgate_decision::clock::{Day, Instant};
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::failures::Failures;
use sendgate_decision::gate::Grant;
use sendgate_decision::names::{ACTIONS, Action, OperationId, OperationState, Outcome, Status};
use sendgate_decision::settle::Operation;

/// An operation: what the journal has, what the provider has, and what only the search knows.
#[derive(Clone, Debug)]
pub struct Op {
    /// As the journal has it.
    pub operation: Operation,
    /// Whom it is for.
    pub prospect: u8,
    /// Recorded from outside the gate.
    pub external: bool,
    /// A worker that lives holds it. A crashed one has forgotten it.
    pub held: bool,
    /// The provider's ledger: when it accepted the send.
    pub sent_at: Option<Instant>,
    /// Its event: when it occurred and when it was recorded.
    pub event: Option<(Instant, Instant)>,
    /// When an operator settled it as sent without proof.
    pub resolved_at: Option<Instant>,
    /// For the properties: it was answered or had run out before the last balance was told.
    pub before_balance: bool,
    /// For the properties: it passed an open breaker whose stamp is still the same.
    pub probing: bool,
    /// For the properties: it was reported as not sent although the provider had accepted it.
    pub denied: bool,
    /// For the properties: how often its slot came back, less how often it was taken again.
    pub freed: i8,
}

impl Op {
    /// Whether it holds its slot.
    pub fn is_kept(&self) -> bool {
        self.operation.state != OperationState::Released
    }

    /// Whether it counts as an attempt of that day: granted on it, and its outcome is not `released`.
    pub fn is_attempt_on(&self, day: Day) -> bool {
        let operation = &self.operation;
        let released = operation.outcome == Some(Outcome::Released);
        operation.is_attempt && operation.counted_on == day && !released
    }

    /// Whether it is delivered or given back.
    pub fn is_settled(&self) -> bool {
        !self.operation.state.is_unresolved()
    }

    /// Whether it is in flight and inside its time.
    pub fn in_flight(&self, now: Instant) -> bool {
        self.operation.state == OperationState::Reserved && now < self.operation.expires_at
    }
}

/// A `reserve` between its read and its write.
#[derive(Clone, Debug)]
pub struct Look {
    /// The operation that it is to become.
    pub id: OperationId,
    /// Whom it is for.
    pub prospect: u8,
    /// When it was decided.
    pub decided_at: Instant,
    /// Whether the row was written since it was read: its version is another one now.
    pub stale: bool,
    /// What is to be written.
    pub plan: Plan,
}

/// What a `reserve` decided.
#[derive(Clone, Debug)]
pub enum Plan {
    /// To take a slot.
    Grant(Rc<Grant>),
    /// To write this row first, and then to ask again: a stamp is set or removed, or credits are carried over the
    /// start of a period.
    First(Rc<Account>),
}

/// A world at one moment.
#[derive(Clone, Debug)]
pub struct State {
    /// The index of its instant.
    pub at: usize,
    /// The row.
    pub account: Account,
    /// The journal, in the order in which it was written.
    pub ops: Vec<Op>,
    /// The reserves that have read and not yet written.
    pub looks: Vec<Look>,
    /// What a sweep counted before it holds the row, where the rule under test works on that.
    pub counted: Option<Rc<Account>>,
    /// The day for which the audit has let the account cool down.
    pub cooled_on: Option<Day>,
    /// The counters were written past the verbs, and layer 1 has not run since.
    pub drifted: bool,
    /// For the properties: the same, whether layer 1 has been there or not.
    pub spoiled: bool,
    /// The InMail credits that the provider has for the account.
    pub provider: i32,
    /// Credits were bought.
    pub topped_up: bool,
    /// For the properties: the last balance that was told, and when.
    pub told: Option<(i32, Instant)>,
    /// For the properties: the last clear, of any kind.
    pub cleared_at: Option<Instant>,
    /// For the properties: failures in a row, counted beside the row.
    pub in_a_row: u8,
}

impl State {
    /// A connected account on which nothing has happened.
    pub fn start(now: Instant) -> State {
        let day = now.day();
        let account = Account {
            status: Status::Connected,
            day,
            sent_today: [0; ACTIONS],
            sent_before: Some([[0; DAYS_BEFORE]; ACTIONS]),
            attempts_today: [0; ACTIONS],
            inmail_cap_today: 0,
            ramp: false,
            ramp_days: 0,
            last_granted_at: [None; ACTIONS],
            caps: [CapOverride::default(); ACTIONS],
            cooldown_until: None,
            action_cooldown_until: [None; ACTIONS],
            failures: [Failures::default(); ACTIONS],
            pace: Pace::default(),
            credit_reset_day: 1,
            breaker: Breaker::default(),
            window: None,
            credits: None,
            credit_reset_changed_at: None,
        };
        State {
            at: 0,
            account,
            ops: Vec::new(),
            looks: Vec::new(),
            counted: None,
            cooled_on: None,
            drifted: false,
            spoiled: false,
            provider: 0,
            topped_up: false,
            told: None,
            cleared_at: None,
            in_a_row: 0,
        }
    }

    /// An id that no operation and no look has.
    pub fn fresh_id(&self) -> OperationId {
        let used =
            |id| self.ops.iter().any(|op| op.operation.id == id) || self.looks.iter().any(|l| l.id == id);
        (1u8..).map(|n| [n; 16]).find(|&id| !used(id)).expect("fewer than 255 operations")
    }

    /// How many workers are busy: inside a reserve, or with an operation to send and to answer for.
    pub fn busy(&self) -> usize {
        self.looks.len() + self.ops.iter().filter(|op| op.held).count()
    }

    /// 128 bits that tell states apart. Operations, and workers, are interchangeable: their order and
    /// their ids are left out. `exact` keeps what a stale look would write, which matters only where the
    /// version is not guarded.
    pub fn key(&self, exact: bool) -> u128 {
        let mut parts: Vec<u64> = Vec::with_capacity(24);
        parts.push(self.at as u64);
        parts.push(self.row_key(&self.account));
        parts.push(self.counted.as_ref().map_or(0, |row| self.row_key(row)));
        parts.push(hash(&(self.cooled_on, self.drifted, self.spoiled, self.cleared_at, self.in_a_row)));
        parts.push(hash(&(self.provider, self.topped_up, self.told)));
        let from = parts.len();
        parts.extend(self.ops.iter().map(|op| self.op_key(op)));
        parts[from..].sort_unstable();
        let from = parts.len();
        parts.extend(self.looks.iter().map(|look| self.look_key(look, exact)));
        parts[from..].sort_unstable();
        (u128::from(hash(&(1u8, &parts))) << 64) | u128::from(hash(&(2u8, &parts)))
    }

    /// Of the row, what the rules of these worlds read: no ramp, no gap, one action.
    fn row_key(&self, row: &Account) -> u64 {
        let i = Action::Inmail.index();
        let (breaker, failures) = (&row.breaker, &row.failures[i]);
        // Whose permit it is says the operation.
        let probe = breaker.probe.as_ref().map(|probe| (probe.lease_until, probe.taken_by.is_some()));
        hash(&(
            (row.status, row.day, row.sent_today[i], row.sent_before.map(|before| before[i])),
            (row.inmail_cap_today, row.cooldown_until, row.action_cooldown_until[i], row.attempts_today[i]),
            (failures.count, failures.level, failures.failing.map(|failing| (failing.since, failing.until))),
            (breaker.mode, breaker.exhausted_at, breaker.cleared_at, probe),
            row.credits.map(|known| (known.left, known.base, known.since, breaker.cause == Cause::Spent)),
        ))
    }

    fn op_key(&self, op: &Op) -> u64 {
        let o = &op.operation;
        hash(&(
            (o.state, o.counted_on, o.reserved_at, o.expires_at, o.listed, o.outcome),
            (op.prospect, op.external, op.held, op.sent_at, op.event, op.resolved_at),
            (op.probing, op.denied, op.freed, self.account.breaker.is_probe(&o.id)),
            // When it was settled matters to known credits alone.
            self.account.credits.map(|_| (o.settled_at, op.before_balance)),
        ))
    }

    fn look_key(&self, look: &Look, exact: bool) -> u64 {
        // What a look that is not stale writes follows from the row; what a stale one writes is dropped.
        if look.stale && !exact {
            return 1;
        }
        let row = match &look.plan {
            Plan::Grant(grant) => &grant.account,
            Plan::First(row) => &**row,
        };
        hash(&(look.prospect, look.decided_at, look.stale, self.row_key(row)))
    }
}

fn hash(value: &impl Hash) -> u64 {
    let mut hasher = Folded(0x243f_6a88_85a3_08d3);
    value.hash(&mut hasher);
    hasher.finish()
}

/// Folded multiplication: the standard library's hasher guards against planted collisions, which costs
/// three times as much as the rest of the search.
struct Folded(u64);

impl Folded {
    fn add(&mut self, value: u64) {
        let product = u128::from(self.0 ^ value.wrapping_add(0xa076_1d64_78bd_642f)) * 0x9e37_79b9_7f4a_7c15;
        self.0 = ((product >> 64) as u64 ^ product as u64).rotate_left(29).wrapping_add(value);
    }
}

impl Hasher for Folded {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.add(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.add(value);
    }

    fn write_i64(&mut self, value: i64) {
        self.add(value as u64);
    }
}
