//! Credits counted from the journal: a balance that is told, and layer 1's count.

use super::{Allowance, Calendar, Credits, Observation, Unanswered};
use crate::clock::{Instant, credit_period_start};

/// What became of an InMail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Reserved, expired or of unknown outcome.
    Unanswered,
    /// Delivered.
    Delivered,
    /// Given back.
    GivenBack,
    /// Given back, because the provider found no credits (`credits_exhausted`).
    Refused,
}

/// An InMail of the journal. One sent outside the gate is reserved and expires when it occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending {
    /// When its slot was taken.
    pub reserved_at: Instant,
    /// Until when the provider may have been called.
    pub expires_at: Instant,
    /// When it was settled; none while it is unanswered.
    pub settled_at: Option<Instant>,
    /// What became of it.
    pub fate: Fate,
}

/// What a balance that is told changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing: a newer one was told already. It is logged.
    Older,
    /// The row counts from it; none where it is too old to count.
    Counts(Option<Credits>),
}

impl Sending {
    /// Whether it is given back at `at`, as far as the journal remembers. The journal does not remember that a
    /// send was given back before it turned out to be delivered.
    fn is_given_back(&self, at: Instant) -> bool {
        let given_back = matches!(self.fate, Fate::GivenBack | Fate::Refused);
        given_back && self.settled_at.is_some_and(|settled| settled <= at)
    }

    /// Whether it was inside its TTL at `at`, and neither delivered nor given back by then.
    pub fn is_unanswered(&self, at: Instant) -> bool {
        let settled = self.settled_at.is_some_and(|settled| settled <= at);
        self.reserved_at <= at && self.expires_at > at && !settled
    }

    /// Whether it takes one of these credits, as of `at`.
    fn takes(&self, credits: &Credits, at: Instant) -> bool {
        let counts = self.reserved_at > credits.since || self.is_unanswered(credits.since);
        let refused = credits.spent_at.is_some_and(|spent| self.reserved_at <= spent);
        counts && !refused && self.reserved_at <= at && !self.is_given_back(at)
    }
}

/// InMails that were unanswered at `at`: for [`Credits::begin_period`].
pub fn unanswered(journal: &[Sending], at: Instant, spent_at: Option<Instant>) -> Unanswered {
    let mut counted = Unanswered::default();
    for sending in journal.iter().filter(|s| s.is_unanswered(at)) {
        counted.all += 1;
        counted.refused += i32::from(spent_at.is_some_and(|spent| sending.reserved_at <= spent));
    }
    counted
}

/// What is left at `at` by the journal, for credits that are rolled to then: layer 1's count.
/// `journal`: the InMails whose `expires_at` is after `credits.since`.
pub fn left(credits: &Credits, journal: &[Sending], at: Instant) -> i32 {
    let refused = credits.spent_at.is_some_and(|spent| spent > credits.since);
    let start = if refused { 0 } else { credits.base };
    let taken = journal.iter().filter(|sending| sending.takes(credits, at)).count();
    start.saturating_sub(i32::try_from(taken).unwrap_or(i32::MAX))
}

/// Hears a balance: `journal` holds the InMails whose `expires_at` is after it was observed, whatever
/// became of them. The same balance told twice is the same as told once.
pub fn tell(
    last: Option<&Credits>,
    told: Observation,
    journal: &[Sending],
    calendar: &Calendar,
    allowance: Allowance,
    now: Instant,
) -> Told {
    let observed_at = told.observed_at.min(now);
    // One that lies ahead of the clock is no last.
    let newer = |last: &&Credits| last.observed_at <= now && observed_at < last.observed_at;
    if last.filter(newer).is_some() {
        return Told::Older;
    }
    Told::Counts(replay(Observation { observed_at, ..told }, journal, calendar, allowance, now))
}

/// Whether a balance that was told gets a line in the log: an unchanged one gets one a UTC day.
/// `last`: the account's last line, as its balance and when it was recorded.
pub fn is_logged(last: Option<(i32, Instant)>, balance: i32, now: Instant) -> bool {
    last.is_none_or(|(logged, recorded_at)| logged != balance || recorded_at.day() != now.day())
}

/// Lives through what happened since the observation, as if it had been told then.
fn replay(
    told: Observation,
    journal: &[Sending],
    calendar: &Calendar,
    allowance: Allowance,
    now: Instant,
) -> Option<Credits> {
    let mut credits = Credits {
        left: told.balance,
        base: told.balance,
        since: told.observed_at,
        observed_at: told.observed_at,
        spent_at: None,
    };
    loop {
        let start = credits.due(calendar, now);
        credits.spent_at = credits.spent_at.max(last_refusal(&credits, journal, calendar, start, now));
        let Some(start) = start else { break };
        credits.left = left(&credits, journal, start);
        let open = unanswered(journal, start, credits.spent_at);
        credits = credits.begin_period(start, open, allowance, calendar)?;
    }
    credits.left = left(&credits, journal, now);
    Some(credits)
}

/// When the provider last found no credits between `credits.since` and the next period's start.
fn last_refusal(
    credits: &Credits,
    journal: &[Sending],
    calendar: &Calendar,
    next_start: Option<Instant>,
    now: Instant,
) -> Option<Instant> {
    let refused = journal.iter().filter(|s| s.fate == Fate::Refused && s.reserved_at > credits.observed_at);
    let in_its_period = |s: &&Sending| {
        s.settled_at.is_some_and(|at| s.reserved_at >= credit_period_start(calendar.reset_day, at))
    };
    let settled = refused.filter(in_its_period).filter_map(|s| s.settled_at);
    let in_this_period = |at: &Instant| *at > credits.since && next_start.is_none_or(|start| *at < start);
    settled.filter(|&at| at <= now).filter(in_this_period).max()
}
