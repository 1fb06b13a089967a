//! Failures in a row under random histories: several workers, answers that come late, operations that
//! expire, operators, midnights. Beside the gate runs a model that knows attempts by their number, where the
//! row knows nothing but two instants; and every grant is asked what the contract promises of it.

use proptest::prelude::*;
use sendgate_decision::account::{Account, DAYS_BEFORE, Pace};
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, Day, HOUR, Instant, MINUTE};
use sendgate_decision::failures::{Failures, Limits};
use sendgate_decision::gate::{ProspectHistory, Request, Verdict, decide};
use sendgate_decision::names::{ACTIONS, Action, OperationState, Outcome, Reason, Scope, Status};
use sendgate_decision::settle::{Delivery, Failure, Operation, deliver, expire, fail};

const ACTION: Action = Action::Invite;
const I: usize = ACTION.index();
const TTL: i64 = 15 * MINUTE;
const CAP: i32 = 12;
const TIER: TierCap = TierCap { daily: CAP, ..TierCap::NOTHING };

#[derive(Clone, Debug)]
enum Step {
    /// So many workers ask at once.
    Reserve(usize),
    /// One of the last operations is answered: none = delivered.
    Answer(usize, Option<Outcome>),
    /// Layer 1 lists what has expired.
    List,
    Wait(i64),
    /// To the end of the silence, or beside it by so many microseconds.
    SilenceEnds(i64),
    Clear,
    /// An operator settles one of the last.
    Resolve(usize, bool),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        1 => Just(None),
        6 => prop::sample::select(vec![
            Outcome::Rejected, Outcome::Transient, Outcome::Indeterminate, Outcome::ActionUnavailable,
        ]).prop_map(Some),
        4 => (0..Outcome::ALL.len()).prop_map(|n| Some(Outcome::ALL[n])),
    ];
    prop_oneof![
        8 => (1usize..4).prop_map(Step::Reserve),
        10 => (0usize..6, outcome).prop_map(|(back, outcome)| Step::Answer(back, outcome)),
        2 => Just(Step::List),
        4 => prop_oneof![Just(0), 1..TTL, Just(TTL), 0..3 * HOUR, Just(DAY)].prop_map(Step::Wait),
        4 => (-1i64..=1).prop_map(Step::SilenceEnds),
        1 => Just(Step::Clear),
        1 => (0usize..6, any::<bool>()).prop_map(|(back, sent)| Step::Resolve(back, sent)),
    ]
}

/// What the model knows of an action that fails.
#[derive(Clone, Copy, Debug)]
struct Silence {
    since: Instant,
    /// From when on one attempt may pass, that one aside which is under way.
    free_at: Instant,
    length: i64,
    /// The number of the attempt that was let through last, until its end is known and counted.
    one: Option<usize>,
}

struct Entry {
    operation: Operation,
    counted: bool,
    said_never_sent: bool,
}

struct World {
    limits: Limits,
    now: Instant,
    account: Account,
    journal: Vec<Entry>,
    in_a_row: i32,
    silence: Option<Silence>,
}

fn is_failure(outcome: Outcome) -> bool {
    let about_the_recipient = [Outcome::RecipientRefused, Outcome::RecipientLater].contains(&outcome);
    let about_the_attempt = [Outcome::Rejected, Outcome::Transient, Outcome::Indeterminate];
    about_the_recipient || about_the_attempt.contains(&outcome) || outcome == Outcome::ActionUnavailable
}

impl World {
    fn new(limits: Limits) -> World {
        let day = Day::from_civil(2026, 5, 24);
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
            caps: Default::default(),
            cooldown_until: None,
            action_cooldown_until: [None; ACTIONS],
            failures: [Failures::default(); ACTIONS],
            pace: Pace::default(),
            credit_reset_day: 1,
            breaker: Default::default(),
            window: None,
            credits: None,
            credit_reset_changed_at: None,
        };
        let now = day.start().plus(22 * HOUR);
        World { limits, now, account, journal: Vec::new(), in_a_row: 0, silence: None }
    }

    fn live(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Reserve(times) => (0..times).try_for_each(|_| self.reserve().map(|_| ()))?,
            Step::Answer(back, outcome) => self.answer(back, outcome),
            Step::List => self.list(),
            Step::Wait(micros) => self.now = self.now.plus(micros),
            Step::SilenceEnds(beside) => {
                if let Some(until) = self.blocked_until() {
                    self.now = self.now.max(until.plus(beside));
                }
            }
            Step::Clear => {
                self.account.clear_cooldowns(None);
                (self.in_a_row, self.silence) = (0, None);
            }
            Step::Resolve(back, sent) => self.resolve(back, sent),
        }
        let silent = self.account.failures[I].failing.map(|failing| failing.until);
        prop_assert_eq!(silent, self.blocked_until(), "{:?}", self.silence);
        Ok(())
    }

    /// Until when the model lets nothing pass.
    fn blocked_until(&self) -> Option<Instant> {
        let silence = self.silence?;
        let one = silence.one.map(|nth| self.journal[nth].operation.expires_at);
        Some(one.map_or(silence.free_at, |expires_at| expires_at.max(silence.free_at)))
    }

    fn reserve(&mut self) -> Result<bool, TestCaseError> {
        let id = (self.journal.len() as u128).to_be_bytes();
        let request = Request {
            account_id: "account",
            action: ACTION,
            now: self.now,
            operation: id,
            paused: false,
            evidence: false,
            first_expiry: None,
            prospect: Some(ProspectHistory::default()),
            suppressed: None,
            campaign: None,
            tier: TIER,
            limits: self.limits,
            prospect_cooldown: DAY,
            operation_ttl: TTL,
            zone: &sendgate_decision::window::Utc,
        };
        let blocked = self.limits.failure_limit > 0 && self.blocked_until().is_some_and(|at| at > self.now);
        match decide(&self.account, &request) {
            Verdict::Grant(grant) => {
                prop_assert!(!blocked, "nothing passes before {:?}", self.blocked_until());
                self.check_grant()?;
                self.journal.push(Entry {
                    operation: Operation {
                        id,
                        action: ACTION,
                        state: OperationState::Reserved,
                        counted_on: grant.counted_on,
                        reserved_at: self.now,
                        expires_at: grant.expires_at,
                        outcome: None,
                        is_attempt: true,
                        listed: false,
                        settled_at: None,
                        beyond_credits: false,
                    },
                    counted: false,
                    said_never_sent: false,
                });
                if self.limits.failure_limit > 0
                    && let Some(silence) = &mut self.silence
                {
                    silence.one = Some(self.journal.len() - 1);
                }
                self.account = grant.account;
                Ok(true)
            }
            Verdict::Refuse(refusal) => {
                if refusal.reason == Reason::ActionCooldown {
                    let of_provider = self.account.action_cooldown_until[I];
                    prop_assert!(blocked || of_provider.is_some_and(|until| until > self.now));
                }
                Ok(false)
            }
            other => Err(TestCaseError::fail(format!("{other:?}"))),
        }
    }

    /// What the contract promises of every grant, counted from the journal.
    fn check_grant(&self) -> Result<(), TestCaseError> {
        let of_today = |e: &&Entry| e.operation.counted_on == self.now.day() && !e.said_never_sent;
        let tried = self.journal.iter().filter(of_today).count() as i32;
        prop_assert!(self.limits.attempt_percent == 0 || tried < 2 * CAP, "{} attempts", tried);
        let Some(silence) = self.silence.filter(|_| self.limits.failure_limit > 0) else { return Ok(()) };
        prop_assert!(self.now >= silence.since.plus(self.limits.failure_cooldown), "before its time");
        let under_way = |e: &&Entry| {
            let op = &e.operation;
            let in_flight = op.state == OperationState::Reserved && self.now < op.expires_at;
            in_flight && op.reserved_at > silence.since
        };
        prop_assert_eq!(self.journal.iter().filter(under_way).count(), 0, "two at a time");
        Ok(())
    }

    /// The operation that was granted so many grants ago.
    fn nth(&self, back: usize) -> Option<usize> {
        self.journal.len().checked_sub(back + 1)
    }

    fn answer(&mut self, back: usize, outcome: Option<Outcome>) {
        let Some(nth) = self.nth(back) else { return };
        let op = self.journal[nth].operation;
        match outcome {
            None if op.state != OperationState::Delivered => {
                let delivery = Delivery { proven: true, occurred_at: self.now, by_operator: false };
                let settled = deliver(&self.account, &op, delivery, self.now);
                self.settle(nth, settled.account, settled.state, settled.outcome);
                self.journal[nth].said_never_sent = false;
                self.note_delivery(nth);
            }
            Some(outcome) if op.state.is_unresolved() && outcome != Outcome::NotSent => {
                let failure = Failure { outcome, scope: Scope::Action, wait: 7 * MINUTE };
                let settled = fail(&self.account, &op, &failure, &self.limits, self.now);
                self.settle(nth, settled.account, settled.state, settled.outcome);
                self.journal[nth].said_never_sent = outcome == Outcome::Released;
                self.note_failure(nth, outcome);
            }
            _ => {}
        }
        // An operator puts the account right, or every history would soon be at its end.
        self.account.status = Status::Connected;
    }

    fn resolve(&mut self, back: usize, sent: bool) {
        let Some(nth) = self.nth(back) else { return };
        let op = self.journal[nth].operation;
        if !op.state.is_unresolved() {
            return;
        }
        let settled = if sent {
            let delivery = Delivery { proven: true, occurred_at: self.now, by_operator: true };
            deliver(&self.account, &op, delivery, self.now)
        } else {
            fail(&self.account, &op, &Failure::NOT_SENT, &self.limits, self.now)
        };
        self.settle(nth, settled.account, settled.state, settled.outcome);
        // It left `reserved` without a word about the provider.
        self.journal[nth].counted = true;
    }

    fn settle(&mut self, nth: usize, account: Account, state: OperationState, outcome: Option<Outcome>) {
        self.account = account;
        let operation = &mut self.journal[nth].operation;
        (operation.state, operation.outcome) = (state, outcome);
    }

    fn list(&mut self) {
        for nth in 0..self.journal.len() {
            let op = self.journal[nth].operation;
            let expired = op.state == OperationState::Reserved && self.now >= op.expires_at && !op.listed;
            if expired {
                self.account = expire(&self.account, &op, &self.limits, self.now).account;
                self.journal[nth].operation.listed = true;
                self.note_failure(nth, Outcome::Indeterminate);
            }
        }
    }

    fn is_fresh(&self, nth: usize) -> bool {
        self.silence.is_none_or(|silence| self.journal[nth].operation.reserved_at > silence.since)
    }

    fn note_delivery(&mut self, nth: usize) {
        self.journal[nth].counted = true;
        if self.is_fresh(nth) {
            (self.in_a_row, self.silence) = (0, None);
        }
    }

    fn note_failure(&mut self, nth: usize, outcome: Outcome) {
        let first = !std::mem::replace(&mut self.journal[nth].counted, true);
        if !first || self.limits.failure_limit == 0 || !self.is_fresh(nth) {
            return;
        }
        let now = self.now;
        let Some(silence) = &mut self.silence else {
            self.in_a_row += i32::from(is_failure(outcome));
            if is_failure(outcome) && self.in_a_row >= self.limits.failure_limit {
                let length = self.limits.failure_cooldown;
                let free_at = now.plus(length);
                self.silence = Some(Silence { since: now, free_at, length, one: None });
            }
            return;
        };
        let free_at = match outcome {
            Outcome::RecipientRefused | Outcome::RecipientLater => {
                (self.in_a_row, self.silence) = (0, None);
                return;
            }
            Outcome::Released => now.min(self.journal[nth].operation.expires_at),
            Outcome::Transient => now.plus(silence.length),
            failed if is_failure(failed) => {
                silence.length = (2 * silence.length).min(DAY);
                now.plus(silence.length)
            }
            _ => return,
        };
        // Once a late answer to another has made the silence longer, that is not for the one to cut short.
        let blocks = |one: usize| self.journal[one].operation.expires_at >= silence.free_at;
        if silence.one == Some(nth) && blocks(nth) {
            (silence.free_at, silence.one) = (free_at, None);
        } else if outcome != Outcome::Released {
            silence.free_at = silence.free_at.max(free_at);
        }
    }
}

fn limits() -> impl Strategy<Value = Limits> {
    let cooldown = prop::sample::select(vec![4 * MINUTE, TTL, 20 * MINUTE, HOUR, 13 * HOUR, DAY]);
    let failure_limit = prop_oneof![1 => Just(0), 9 => 1i32..5];
    (failure_limit, cooldown, prop::sample::select(vec![0, 200])).prop_map(
        |(failure_limit, failure_cooldown, attempt_percent)| Limits {
            failure_limit,
            failure_cooldown,
            attempt_percent,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_action_that_fails_stops_and_one_attempt_at_a_time_finds_out(
        limits in limits(), steps in prop::collection::vec(step(), 1..100),
    ) {
        let mut world = World::new(limits);
        for step in &steps {
            world.live(step)?;
        }
    }

    /// Whatever happened: a day and an operation's time later an attempt passes, and its delivery ends the
    /// silence.
    #[test]
    fn an_attempt_passes_a_day_after_any_silence(
        limits in limits(), steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut world = World::new(limits);
        for step in &steps {
            world.live(step)?;
        }
        world.now = world.now.plus(2 * DAY + TTL);
        prop_assert!(world.reserve()?, "silent for ever");
        world.live(&Step::Answer(0, None))?;
        prop_assert_eq!(world.account.failures[I], Failures::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// A provider that refuses everything: however many workers ask as fast as they can, a day sees no more
    /// calls than twice the cap.
    #[test]
    fn a_provider_that_refuses_everything_is_called_no_more_than_twice_the_cap(
        outcome in prop::sample::select(vec![
            Outcome::Rejected, Outcome::RecipientRefused, Outcome::RecipientLater, Outcome::Transient,
            Outcome::RateLimited, Outcome::CreditsExhausted, Outcome::AuthLost, Outcome::ActionUnavailable,
        ]),
        workers in 1usize..8,
    ) {
        let mut world = World::new(Limits::default());
        world.now = Day::from_civil(2026, 5, 25).start();
        for _ in 0..24 * 60 {
            let calls = world.journal.len();
            world.live(&Step::Reserve(workers))?;
            for back in 0..world.journal.len() - calls {
                world.live(&Step::Answer(back, Some(outcome)))?;
            }
            world.now = world.now.plus(MINUTE);
        }
        prop_assert!(world.journal.len() <= 2 * CAP as usize, "{} calls", world.journal.len());
    }
}
