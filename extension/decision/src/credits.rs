//! InMail credits that are known: what is left of the last balance that was told.
//!
//! The row holds one [`Credits`], or none where no balance was told; then nothing here is asked and
//! the account is as it was before. Every change of the number is one function; each has the row
//! rolled first (see [`Credits::due`]), as the day is. What only the journal knows is an argument.
//!
//! Where the truth cannot be known, the number is too low rather than too high: one credit too few
//! is a message that waits, one too many is a call that the provider refuses.

pub mod forecast;
pub mod journal;
pub mod stamp;

use crate::clock::{DAY, Instant, credit_period_start, next_credit_period};

/// The highest balance that may be told.
pub const BALANCE_MAX: i32 = 100_000;

/// So many whole credit periods without a new balance end the counting: by then it is a guess.
pub const PERIODS_WITHOUT_NEWS: usize = 2;

/// The shortest credit period, in microseconds: a February.
const PERIOD_MIN: i64 = 28 * DAY;

/// What the row knows about the credits of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credits {
    /// Credits left, less what the unanswered InMails may still take. May be negative, where more
    /// was in flight than the balance covers; readings and rules take that as 0.
    pub left: i32,
    /// The balance that counts from `since` on; layer 1 counts from here again. Negative where
    /// `left` was when the period began.
    pub base: i32,
    /// From when on the journal counts against `base`: the observation, or a later period start.
    pub since: Instant,
    /// When the last balance that was told was observed.
    pub observed_at: Instant,
    /// When the provider last said that there are none: `left` counts from 0 there, and nothing that
    /// was reserved at or before it gives a credit back. None since `since`: NULL.
    pub spent_at: Option<Instant>,
}

/// What a tier grants at the start of a credit period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Credits a month, 0 or more; none = the tier says nothing of it.
    pub monthly: Option<i32>,
    /// What a grant fills up to at most; none = to no more than the month's own credits.
    pub ceiling: Option<i32>,
}

/// When an account's credit periods start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// Day of the month (1–31) on which a credit period starts.
    pub reset_day: u8,
    /// When that day was last changed; a start at or before it adds nothing.
    pub changed_at: Option<Instant>,
}

/// A balance as the provider showed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Credits, 0 to [`BALANCE_MAX`].
    pub balance: i32,
    /// When the provider showed it.
    pub observed_at: Instant,
}

/// InMails that were unanswered at an instant: reserved at or before it, `expires_at` after it, and
/// neither delivered nor given back by then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unanswered {
    /// All of them.
    pub all: i32,
    /// Of these, the ones reserved at or before the provider's last refusal (`spent_at`): they took
    /// their part of what the refusal set to 0, and hold nothing of what is left.
    pub refused: i32,
}

/// What known credits say to an InMail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// There is one for it.
    Enough,
    /// The unanswered InMails may take them all; the first of them to expire settles it.
    Waits {
        /// When the first unanswered InMail expires.
        retry_at: Instant,
    },
    /// There are none: the breaker arms with the reason `credits_spent`.
    Spent,
}

impl Allowance {
    /// What a balance becomes at the start of a period: never less than it was.
    fn granted(self, monthly: i32, balance: i32) -> i32 {
        let full = self.ceiling.unwrap_or(monthly);
        balance.max(balance.saturating_add(monthly).min(full))
    }
}

impl Calendar {
    /// The first start after `at` that adds credits.
    pub fn next_start(&self, at: Instant) -> Instant {
        next_credit_period(self.reset_day, self.changed_at.map_or(at, |changed| changed.max(at)))
    }

    /// From when on a balance that was observed then counts no longer, if none was told since.
    fn forgotten_at(&self, observed_at: Instant) -> Instant {
        (0..=PERIODS_WITHOUT_NEWS).fold(observed_at, |at, _| next_credit_period(self.reset_day, at))
    }
}

impl Credits {
    /// Credits as a row's columns hold them; none where no balance is counted. A base says that one is. A grant
    /// writes `left` alone, so no rule over several columns is checked for it; where it is missing none are left.
    pub fn of_columns(
        left: Option<i32>,
        base: Option<i32>,
        since: Option<Instant>,
        observed_at: Option<Instant>,
        spent_at: Option<Instant>,
    ) -> Option<Credits> {
        let (base, since, observed_at) = (base?, since?, observed_at?);
        Some(Credits { left: left.unwrap_or(0), base, since, observed_at, spent_at })
    }

    /// Credits left as readings show them.
    pub fn shown(&self) -> i32 {
        self.left.max(0)
    }

    /// The period start that the row has not lived through yet, if there is one at `now`: the caller
    /// counts the InMails that were unanswered then ([`journal::unanswered`]), passes both to
    /// [`Credits::begin_period`], and asks again.
    pub fn due(&self, calendar: &Calendar, now: Instant) -> Option<Instant> {
        let mut start = calendar.next_start(self.since);
        // Every grant asks, and dates cost; a balance that is younger than this is not forgotten yet.
        if now >= self.observed_at.plus(PERIODS_WITHOUT_NEWS as i64 * PERIOD_MIN) {
            start = start.min(calendar.forgotten_at(self.observed_at));
        }
        Some(start).filter(|&start| start <= now)
    }

    /// The credits from a period start on, as if their sum had been told then; none where the
    /// counting ends. Unanswered InMails may take theirs before or after the grant, which is
    /// therefore measured without them. The provider's refusal of the old period is over.
    pub fn begin_period(
        &self,
        start: Instant,
        unanswered: Unanswered,
        allowance: Allowance,
        calendar: &Calendar,
    ) -> Option<Credits> {
        let monthly = allowance.monthly?;
        if start >= calendar.forgotten_at(self.observed_at) {
            return None;
        }
        let counted = unanswered.all.saturating_sub(unanswered.refused);
        let base = allowance.granted(monthly, self.left.saturating_add(counted));
        let left = base.saturating_sub(unanswered.all);
        Some(Credits { left, base, since: start, observed_at: self.observed_at, spent_at: None })
    }

    /// What an InMail hears, evidence and stamps aside. `first_expiry`: when the first of the
    /// unanswered InMails that are inside their TTL expires; only asked for where none are left.
    pub fn read(&self, first_expiry: impl FnOnce() -> Option<Instant>) -> Reading {
        if self.left > 0 {
            return Reading::Enough;
        }
        first_expiry().map_or(Reading::Spent, |retry_at| Reading::Waits { retry_at })
    }

    /// Takes one for a grant at `now`. `true` if none was left (a probe, a forced breaker, observing): the
    /// journal notes it, because a delivery of such an operation proves the books wrong. A grant in the very
    /// microsecond of the provider's refusal is one of those that the refusal covers: it holds none.
    pub fn take(&mut self, now: Instant) -> bool {
        let beyond = self.left <= 0;
        if self.is_after_the_refusal(now) {
            self.left = self.left.saturating_sub(1);
        }
        beyond
    }

    /// Gives one back for an operation that was not sent, if it holds one.
    pub fn give_back(&mut self, reserved_at: Instant, expires_at: Instant) {
        if expires_at > self.since && self.is_after_the_refusal(reserved_at) {
            self.left = self.left.saturating_add(1);
        }
    }

    /// Takes one again: an InMail that was given back at `released_at` was delivered all the same.
    pub fn take_back(&mut self, reserved_at: Instant, expires_at: Instant, released_at: Instant) {
        if !self.is_after_the_refusal(reserved_at) {
            return;
        }
        // What it gave back before the period began is in the base by now.
        let carried = expires_at <= self.since && released_at <= self.since && expires_at > self.observed_at;
        if carried {
            self.base = self.base.saturating_sub(1);
        }
        if carried || expires_at > self.since {
            self.left = self.left.saturating_sub(1);
        }
    }

    /// Takes one for an InMail that was sent outside the gate, however late it is told.
    pub fn take_external(&mut self, occurred_at: Instant) {
        if occurred_at <= self.observed_at || !self.is_after_the_refusal(occurred_at) {
            return;
        }
        self.left = self.left.saturating_sub(1);
        if occurred_at <= self.since {
            self.base = self.base.saturating_sub(1);
        }
    }

    /// The provider found no credits for an operation. `false` if that says nothing about now: it was
    /// reserved in an earlier period or before the last balance; then it merely gives its credit back.
    pub fn exhausted(&mut self, reserved_at: Instant, reset_day: u8, now: Instant) -> bool {
        let fresh =
            !self.is_told_after(reserved_at, now) && reserved_at >= credit_period_start(reset_day, now);
        if fresh {
            self.left = 0;
            self.spent_at = Some(now);
        }
        fresh
    }

    /// Whether a credits error of this operation is stale, because credits were told after it was
    /// reserved: it does not arm the breaker. (Of an earlier period's balance only the base is known
    /// no longer; an error from before it stamps its own, earlier period, and stops nothing.)
    pub fn outdates(&self, reserved_at: Instant, now: Instant) -> bool {
        self.is_told_after(reserved_at, now) && self.since == self.observed_at && self.base > 0
    }

    /// Whether a delivery proves the books wrong, which ends the counting: `beyond` is what
    /// [`Credits::take`] said of its grant, and no balance was told since.
    pub fn is_contradicted_by(&self, reserved_at: Instant, beyond: bool) -> bool {
        beyond && reserved_at > self.observed_at
    }

    /// Whether the row's balance lies ahead of the clock; `repair_day` forgets such a one, and layer
    /// 1 leaves it alone.
    pub fn is_ahead_of(&self, now: Instant) -> bool {
        self.observed_at > now || self.since > now || self.spent_at.is_some_and(|at| at > now)
    }

    fn is_told_after(&self, reserved_at: Instant, now: Instant) -> bool {
        // A balance that lies ahead was told while the clock ran ahead, and proves nothing.
        reserved_at <= self.observed_at && self.observed_at <= now
    }

    fn is_after_the_refusal(&self, at: Instant) -> bool {
        self.spent_at.is_none_or(|spent| at > spent)
    }
}
