//! Which worlds are searched: how many workers and operations, when, and what may happen in them.

use sendgate_decision::budget::TierCap;
use sendgate_decision::clock::{DAY, Instant, MINUTE};
use sendgate_decision::failures::Limits;
use sendgate_decision::names::{BreakerMode, Outcome};

use crate::rules::Rules;
use crate::time::{
    Moment, ONE_MORNING, PERIOD_END, PERIOD_START, RUNNING_OUT, SILENCES, TWO_MIDNIGHTS, instant,
};

/// For how long an action that fails is silent at first.
pub const SILENCE: i64 = 10 * MINUTE;

/// Slots a day, in every world.
pub const CAP: i32 = 2;

/// Limits that never refuse: most worlds are about something else.
const NO_LIMITS: Limits = Limits { failure_limit: 0, failure_cooldown: 0, attempt_percent: 0 };

/// What may happen beside reserving, sending and the passing of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A worker dies and forgets its operation.
    Crash,
    /// A delivery is confirmed with its chat id.
    Confirm,
    /// A delivery is confirmed without one.
    ConfirmUnproven,
    /// A failure is reported.
    Rollback(Outcome),
    /// An operator settles an unknown outcome by the provider's ledger.
    Resolve,
    /// A webhook tells of a send that the gate knows.
    Echo,
    /// A person sends by hand.
    External,
    /// The jobs.
    Reconcile,
    /// Layer 2.
    Audit,
    /// Layer 1 lists what has expired.
    List,
    /// The physical roll.
    Midnight,
    /// This is added to the counters past every verb, once.
    Drift(i32),
    /// `breaker_clear`.
    Clear,
    /// `breaker_arm`.
    Arm,
    /// `breaker_probe`.
    Probe,
    /// `breaker_force`.
    Force(BreakerMode),
    /// The balance that the provider shows is told.
    Tell,
    /// A credit is bought at the provider, once.
    Buy,
}

/// A world.
#[derive(Clone, Copy)]
pub struct World {
    /// Its name in the docs.
    pub name: &'static str,
    /// How many `reserve`s and sends can be under way at once.
    pub workers: usize,
    /// How many operations there can be in all.
    pub operations: usize,
    /// Prospects that the workers draw from; 0: each operation has its own.
    pub prospects: u8,
    /// How many accepted sends may be reported as not sent.
    pub denials: usize,
    /// The settings about attempts and failures.
    pub limits: Limits,
    /// Slots in seven days.
    pub weekly: Option<i32>,
    /// The InMail credits that the provider has at first, and that were told; none = they are not known.
    pub balance: Option<i32>,
    /// When.
    pub moments: &'static [Moment],
    /// What may happen.
    pub events: &'static [Event],
    /// By which rule.
    pub rules: Rules,
}

impl World {
    /// The instant with this index.
    pub fn now(&self, at: usize) -> Instant {
        instant(self.moments[at])
    }

    /// The tier of its account.
    pub fn tier(&self) -> TierCap {
        TierCap {
            daily: CAP,
            weekly: self.weekly,
            ramp_start_percent: 100,
            ramp_step_percent: 0,
            minimum_gap: 0,
        }
    }

    /// How long a prospect is left alone.
    pub fn prospect_cooldown(&self) -> i64 {
        DAY
    }
}

/// Two midnights, lost answers, crashes: the counters of day and week.
pub const fn days(rules: Rules) -> World {
    World {
        name: "days",
        workers: 2,
        operations: 4,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: Some(3),
        balance: None,
        moments: TWO_MIDNIGHTS,
        events: &[
            Event::Crash,
            Event::Confirm,
            Event::Rollback(Outcome::RecipientRefused),
            Event::Reconcile,
            Event::Midnight,
        ],
        rules,
    }
}

/// Answers that say nothing, and operators who look into the provider's ledger.
pub const fn unknowns(rules: Rules) -> World {
    World {
        name: "unknowns",
        workers: 2,
        operations: 3,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: RUNNING_OUT,
        events: &[
            Event::Crash,
            Event::Confirm,
            Event::ConfirmUnproven,
            Event::Rollback(Outcome::RecipientRefused),
            Event::Rollback(Outcome::Indeterminate),
            Event::Resolve,
            Event::Reconcile,
            Event::Midnight,
        ],
        rules,
    }
}

/// Three workers at the same moment.
pub const fn crowd(rules: Rules) -> World {
    World {
        name: "crowd",
        workers: 3,
        operations: 4,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: ONE_MORNING,
        events: &[
            Event::Crash,
            Event::Confirm,
            Event::Rollback(Outcome::RecipientRefused),
            Event::Resolve,
            Event::Reconcile,
        ],
        rules,
    }
}

/// All workers want the same two prospects.
pub const fn prospects(rules: Rules) -> World {
    World {
        name: "prospects",
        workers: 3,
        operations: 3,
        prospects: 2,
        denials: 1,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: ONE_MORNING,
        events: &[
            Event::Crash,
            Event::Confirm,
            Event::ConfirmUnproven,
            Event::Rollback(Outcome::Released),
            Event::Rollback(Outcome::Indeterminate),
            Event::Resolve,
            Event::Echo,
        ],
        rules,
    }
}

/// Answers that are wrong, truths that come late, sends by hand: counters above the cap.
pub const fn truths(rules: Rules) -> World {
    World {
        name: "truths",
        workers: 2,
        operations: 3,
        prospects: 0,
        denials: 1,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: TWO_MIDNIGHTS,
        events: &[
            Event::Crash,
            Event::Confirm,
            Event::ConfirmUnproven,
            Event::Rollback(Outcome::RecipientRefused),
            Event::Echo,
            Event::External,
            Event::Reconcile,
            Event::Audit,
        ],
        rules,
    }
}

/// Counters written past the verbs, and the jobs that correct them.
pub const fn drift(rules: Rules) -> World {
    World {
        name: "drift",
        workers: 2,
        operations: 3,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: TWO_MIDNIGHTS,
        events: &[
            Event::Drift(-1),
            Event::Drift(3),
            Event::Crash,
            Event::Confirm,
            Event::Rollback(Outcome::RecipientRefused),
            Event::Reconcile,
            Event::Audit,
            Event::Midnight,
        ],
        rules,
    }
}

/// The breaker across the end of its period, left to itself and to its probe.
pub const fn breaker(rules: Rules) -> World {
    World {
        name: "breaker",
        workers: 2,
        operations: 3,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: PERIOD_END,
        events: &[
            Event::Confirm,
            Event::Rollback(Outcome::CreditsExhausted),
            Event::Rollback(Outcome::RecipientRefused),
            Event::Rollback(Outcome::Indeterminate),
            Event::Probe,
        ],
        rules,
    }
}

/// The breaker in the hands of operators.
pub const fn operators(rules: Rules) -> World {
    World {
        name: "operators",
        workers: 2,
        operations: 2,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: None,
        balance: None,
        moments: PERIOD_END,
        events: &[
            Event::Confirm,
            Event::Rollback(Outcome::CreditsExhausted),
            Event::Arm,
            Event::Clear,
            Event::Probe,
            Event::Force(BreakerMode::Open),
            Event::Force(BreakerMode::Auto),
        ],
        rules,
    }
}

/// Attempts that fail, and workers who say that they never made theirs.
pub const fn tries(rules: Rules) -> World {
    World {
        name: "tries",
        workers: 2,
        operations: 5,
        prospects: 0,
        denials: 0,
        limits: Limits { attempt_percent: 150, ..NO_LIMITS },
        weekly: None,
        balance: None,
        moments: RUNNING_OUT,
        events: &[
            Event::Confirm,
            Event::Rollback(Outcome::Rejected),
            Event::Rollback(Outcome::Released),
            Event::Reconcile,
        ],
        rules,
    }
}

/// An action that fails twice, and one attempt after the other, with answers that come late.
pub const fn failing(rules: Rules) -> World {
    World {
        name: "failing",
        workers: 2,
        operations: 5,
        prospects: 0,
        denials: 0,
        limits: Limits { failure_limit: 2, failure_cooldown: SILENCE, attempt_percent: 0 },
        weekly: None,
        balance: None,
        moments: SILENCES,
        events: &[
            Event::Confirm,
            Event::Rollback(Outcome::Rejected),
            Event::Rollback(Outcome::Released),
            Event::List,
        ],
        rules,
    }
}

/// A balance that is told, told again, and used up, over the start of a period.
pub const fn known(rules: Rules) -> World {
    World {
        name: "known",
        workers: 2,
        operations: 3,
        prospects: 0,
        denials: 0,
        limits: NO_LIMITS,
        weekly: None,
        balance: Some(1),
        moments: PERIOD_START,
        events: &[
            Event::Confirm,
            Event::Rollback(Outcome::RecipientRefused),
            Event::Rollback(Outcome::Indeterminate),
            Event::Tell,
            Event::Buy,
        ],
        rules,
    }
}
