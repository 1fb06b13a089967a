//! Random histories: a small world around the rule — an account, its journal and its events in
//! memory — lives through reservations, outcomes, operators and the passing of time, and after every
//! step the books are counted anew by predicates that know nothing of the rule's own arithmetic.

use proptest::prelude::*;
use sendgate_decision::account::{Account, CapOverride, DAYS_BEFORE, Pace};
use sendgate_decision::breaker::{Breaker, Probe, Reading};
use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, Day, HOUR, Instant, MINUTE, credit_period_start};
use sendgate_decision::failures::{Failures, Limits};
use sendgate_decision::gate::{Grant, ProspectHistory, Request, Verdict, decide};
use sendgate_decision::names::{ACTIONS, Action, BreakerMode, OperationState, Outcome, Scope, Status};
use sendgate_decision::settle::{Delivery, Failure, Operation, deliver, fail};
use sendgate_decision::window::Utc;

const TTL: i64 = 15 * MINUTE;
const TIER: TierCap =
    TierCap { daily: 4, weekly: Some(9), ramp_start_percent: 50, ramp_step_percent: 25, minimum_gap: 0 };
const LIMITS: Limits = Limits { failure_limit: 6, failure_cooldown: 20 * MINUTE, attempt_percent: 150 };

#[derive(Clone, Debug)]
enum Step {
    Reserve { inmail: bool, prospect: u8 },
    Confirm { nth: usize, proven: bool },
    Rollback { nth: usize, outcome: usize },
    Wait { minutes: i64 },
    Clear,
    Probe,
    Force(usize),
    Cap(Option<i32>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (any::<bool>(), 0u8..6).prop_map(|(inmail, prospect)| Step::Reserve { inmail, prospect }),
        3 => (any::<usize>(), prop::bool::weighted(0.8)).prop_map(|(nth, proven)| Step::Confirm { nth, proven }),
        4 => (any::<usize>(), 0..Outcome::ALL.len()).prop_map(|(nth, outcome)| Step::Rollback { nth, outcome }),
        4 => prop_oneof![1i64..30, 60i64..600, 1_000i64..20_000].prop_map(|minutes| Step::Wait { minutes }),
        1 => Just(Step::Clear),
        2 => Just(Step::Probe),
        1 => (0usize..6).prop_map(Step::Force),
        1 => prop::option::of(0i32..6).prop_map(Step::Cap),
    ]
}

/// An operation with what the journal knows beside it.
#[derive(Clone, Debug)]
struct Entry {
    operation: Operation,
    prospect: u8,
    delivered_at: Option<Instant>,
}

impl Entry {
    /// Whether the gate granted it on that day, and no worker has said that it never called the provider.
    fn counts_as_attempt(&self, action: Action, day: Day) -> bool {
        let operation = &self.operation;
        let is_of = operation.action == action && operation.counted_on == day;
        is_of && operation.outcome != Some(Outcome::Released)
    }
}

struct World {
    account: Account,
    journal: Vec<Entry>,
    now: Instant,
}

impl World {
    fn new(reset_day: u8, ramp: bool) -> World {
        let day = Day::from_civil(2026, 1, 28);
        let account = Account {
            status: Status::Connected,
            day,
            sent_today: [0; ACTIONS],
            sent_before: Some([[0; DAYS_BEFORE]; ACTIONS]),
            attempts_today: [0; ACTIONS],
            inmail_cap_today: 0,
            ramp,
            ramp_days: 0,
            last_granted_at: [None; ACTIONS],
            caps: [CapOverride::default(); ACTIONS],
            cooldown_until: None,
            action_cooldown_until: [None; ACTIONS],
            failures: [Failures::default(); ACTIONS],
            pace: Pace::default(),
            credit_reset_day: reset_day,
            breaker: Breaker::default(),
            window: None,
            credits: None,
            credit_reset_changed_at: None,
        };
        World { account, journal: Vec::new(), now: day.start().plus(20 * HOUR) }
    }

    fn live(&mut self, step: &Step) -> Result<(), TestCaseError> {
        match *step {
            Step::Reserve { inmail, prospect } => {
                let action = if inmail { Action::Inmail } else { Action::Invite };
                self.reserve(action, prospect)?;
            }
            Step::Confirm { nth, proven } => self.confirm(nth, proven),
            Step::Rollback { nth, outcome } => self.rollback(nth, Outcome::ALL[outcome]),
            Step::Wait { minutes } => self.now = self.now.plus(minutes * MINUTE),
            Step::Clear => {
                self.account.breaker.clear(self.now);
            }
            Step::Probe => self.probe(),
            Step::Force(mode) => {
                self.account.breaker.mode = BreakerMode::ALL.get(mode).copied().unwrap_or(BreakerMode::Auto);
            }
            Step::Cap(daily) => self.account.caps[0].daily = daily,
        }
        self.check_books()
    }

    fn evidence(&self) -> bool {
        let breaker = &self.account.breaker;
        self.journal.iter().any(|entry| {
            entry.operation.action == Action::Inmail
                && entry.delivered_at.is_some_and(|at| {
                    at >= self.now.plus(-HOUR) && breaker.is_evidence(entry.operation.reserved_at, at, at)
                })
        })
    }

    fn reserve(&mut self, action: Action, prospect: u8) -> Result<bool, TestCaseError> {
        let earlier = || {
            let same = move |e: &&Entry| e.prospect == prospect && e.operation.action == action;
            self.journal.iter().filter(same)
        };
        let history = ProspectHistory {
            unresolved: earlier().any(|e| e.operation.state.is_unresolved()),
            last_kept_at: earlier()
                .filter(|e| e.operation.state != OperationState::Released)
                .map(|e| e.operation.reserved_at)
                .max(),
        };
        let id = (self.journal.len() as u128 + 1).to_be_bytes();
        loop {
            let request = Request {
                account_id: "account",
                action,
                now: self.now,
                operation: id,
                paused: false,
                evidence: self.evidence(),
                first_expiry: None,
                prospect: Some(history),
                suppressed: None,
                campaign: None,
                tier: TIER,
                limits: LIMITS,
                prospect_cooldown: DAY,
                operation_ttl: TTL,
                zone: &Utc,
            };
            match decide(&self.account, &request) {
                Verdict::ClearBreaker(_) => {
                    prop_assert!(self.account.breaker.clear(self.now), "nothing to clear");
                }
                Verdict::NeedsCount | Verdict::NeedsPeriod | Verdict::ArmBreaker => {
                    prop_assert!(false, "all days are counted, and no credits");
                }
                Verdict::Refuse(_) => return Ok(false),
                Verdict::Grant(grant) => {
                    self.check_grant(action, prospect, &grant)?;
                    self.journal.push(Entry {
                        operation: Operation {
                            id,
                            action,
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
                        prospect,
                        delivered_at: None,
                    });
                    self.account = grant.account;
                    return Ok(true);
                }
            }
        }
    }

    /// What must hold for a grant, counted from the journal as it was before it.
    fn check_grant(&self, action: Action, prospect: u8, grant: &Grant) -> Result<(), TestCaseError> {
        let kept = |e: &&Entry| e.operation.state != OperationState::Released && e.operation.action == action;
        let today = self.now.day();
        let cap = match (action, self.account.caps[0].daily) {
            (Action::Inmail, Some(cap)) => cap,
            _ => TIER.daily,
        };
        let sent = self.journal.iter().filter(kept).filter(|e| e.operation.counted_on == today).count();
        prop_assert!((sent as i32) < cap, "{} of {} slots were taken", sent, cap);
        let tried = self.journal.iter().filter(|e| e.counts_as_attempt(action, today)).count();
        prop_assert!(tried as i32 * 100 < cap * LIMITS.attempt_percent, "{} attempts of {}", tried, cap);
        let in_week = |e: &&Entry| (today.0 - 6..=today.0).contains(&e.operation.counted_on.0);
        prop_assert!(self.journal.iter().filter(kept).filter(in_week).count() < 9, "the week was full");
        for entry in self.journal.iter().filter(kept).filter(|e| e.prospect == prospect) {
            prop_assert!(!entry.operation.state.is_unresolved(), "one is in flight");
            prop_assert!(entry.operation.reserved_at.plus(DAY) <= self.now, "the prospect is warm");
        }
        prop_assert!(self.account.cooldown_until.is_none_or(|until| until <= self.now));
        prop_assert_eq!(self.account.status, Status::Connected);
        let breaker = &self.account.breaker;
        if action == Action::Inmail && breaker.mode == BreakerMode::Auto && breaker.exhausted_at.is_some() {
            let taken = grant.account.breaker.probe.clone().and_then(|probe| probe.taken_by);
            prop_assert!(taken.is_some(), "an open breaker let an InMail through without a permit");
            let before = breaker.probe.clone().unwrap();
            prop_assert!(before.taken_by.is_none() && before.lease_until > self.now, "a second probe");
        }
        prop_assert!(action != Action::Inmail || breaker.mode != BreakerMode::Open, "forced open");
        Ok(())
    }

    fn confirm(&mut self, nth: usize, proven: bool) {
        let Some(entry) = pick(&self.journal, nth) else { return };
        let operation = self.journal[entry].operation;
        let unproven = operation.action == Action::Inmail && !proven;
        let settles = match operation.state {
            OperationState::Delivered => false,
            OperationState::Indeterminate => !unproven,
            OperationState::Reserved | OperationState::Released => true,
        };
        if settles {
            let delivery = Delivery { proven, occurred_at: self.now, by_operator: false };
            let settled = deliver(&self.account, &operation, delivery, self.now);
            self.account = settled.account;
            self.journal[entry].operation.state = settled.state;
            self.journal[entry].operation.outcome = settled.outcome;
            if settled.state == OperationState::Delivered {
                self.journal[entry].delivered_at = Some(self.now);
            }
        }
    }

    fn rollback(&mut self, nth: usize, outcome: Outcome) {
        let Some(entry) = pick(&self.journal, nth) else { return };
        let operation = self.journal[entry].operation;
        if operation.state.is_unresolved() {
            let scope = if nth.is_multiple_of(2) { Scope::Account } else { Scope::Action };
            let failure = Failure { outcome, scope, wait: HOUR };
            let settled = fail(&self.account, &operation, &failure, &LIMITS, self.now);
            self.account = settled.account;
            self.journal[entry].operation.state = settled.state;
            self.journal[entry].operation.outcome = settled.outcome;
            // An operator puts the account right, or every history would soon be at its end.
            self.account.status = Status::Connected;
        }
    }

    fn probe(&mut self) {
        let (breaker, now) = (&mut self.account.breaker, self.now);
        let open = matches!(breaker.read(self.account.credit_reset_day, now), Reading::Open { .. });
        if open && breaker.leased(now).is_none() {
            breaker.probe = Some(Probe { lease_until: now.plus(TTL), taken_by: None });
        }
    }

    /// The counters are what the journal says: each of the seven days and the attempts, for every action.
    fn check_books(&self) -> Result<(), TestCaseError> {
        let row = self.account.rolled(self.now);
        let before = row.sent_before.unwrap();
        for &action in Action::ALL {
            let i = action.index();
            let kept_on = |day: Day| {
                let kept = |e: &&Entry| e.operation.state != OperationState::Released;
                let of = |e: &&Entry| e.operation.action == action && e.operation.counted_on == day;
                self.journal.iter().filter(kept).filter(of).count() as i32
            };
            prop_assert_eq!(row.sent_today[i], kept_on(row.day), "{:?} today", action);
            for (days, sent) in (1..).zip(before[i]) {
                prop_assert_eq!(sent, kept_on(Day(row.day.0 - days)), "{:?} {} days ago", action, days);
            }
            let tried = self.journal.iter().filter(|e| e.counts_as_attempt(action, row.day)).count();
            prop_assert_eq!(row.attempts_today[i], tried as i32, "attempts of {:?}", action);
        }
        Ok(())
    }
}

fn pick(journal: &[Entry], nth: usize) -> Option<usize> {
    (!journal.is_empty()).then(|| nth % journal.len())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_books_agree_in_every_history(
        reset_day in 1u8..=31, ramp in any::<bool>(), steps in prop::collection::vec(step(), 1..120),
    ) {
        let mut world = World::new(reset_day, ramp);
        for step in &steps {
            world.live(step)?;
        }
    }

    /// Whatever happened: once the next credit period has begun and the operator has let go of the
    /// breaker and the cap, a new prospect can be sent to.
    #[test]
    fn every_account_can_send_again_in_its_next_period(
        reset_day in 1u8..=31, ramp in any::<bool>(), steps in prop::collection::vec(step(), 1..80),
    ) {
        let mut world = World::new(reset_day, ramp);
        for step in &steps {
            world.live(step)?;
        }
        world.live(&Step::Force(0))?;
        world.live(&Step::Cap(None))?;
        let period = credit_period_start(reset_day, world.now);
        world.now = world.now.plus(40 * DAY);
        prop_assert!(credit_period_start(reset_day, world.now) > period);
        prop_assert!(world.reserve(Action::Inmail, 200)?, "stuck for ever");
    }
}
