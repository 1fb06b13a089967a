//! An account, its journal, its workers and the provider.

use crate::rules::Rules;
use crate::steps::Step;
use sendgate_decision::clock::{Day, HOUR, Instant, MINUTE, SECOND, credit_period_start};
use sendgate_decision::credits::journal::{Fate, Sending, Told, unanswered};
use sendgate_decision::credits::stamp::Cause;
use sendgate_decision::credits::{Allowance, Calendar, Credits, Observation, Reading};

pub const TTL: i64 = 15 * MINUTE;

/// All writes, in order: the oracle's only source.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    Granted { op: usize },
    GivenBack { op: usize },
    Refused { op: usize },
    Delivered { op: usize },
    DeliveredAfterAll { op: usize },
    External { occurred_at: Instant },
    Told(Observation),
    Forgotten,
    ResetDay { day: u8 },
}

/// An operation with what only its worker and the provider know.
#[derive(Clone, Copy, Debug)]
pub struct Op {
    pub sending: Sending,
    pub beyond: bool,
    /// Granted because a counted credit was left.
    pub counted: bool,
    /// What the provider said: delivered, refused for credits, or refused for another reason.
    pub said: Option<Fate>,
}

pub struct World {
    pub rules: Rules,
    pub calendar: Calendar,
    pub allowance: Allowance,
    pub now: Instant,
    pub credits: Option<Credits>,
    pub stamp: Option<(Instant, Cause)>,
    pub ops: Vec<Op>,
    pub externals: Vec<Sending>,
    pub history: Vec<(Instant, Event)>,
    /// By hand, not told yet.
    untold: Vec<Instant>,
    pages: Vec<Observation>,
    /// What the provider has, and the period that he granted last.
    pub balance: i32,
    provider_day: u8,
    granted_until: Instant,
    /// A grant that the credits allowed was refused by the provider for want of them.
    pub doomed: bool,
    /// Whether the last step told a balance.
    pub told: bool,
}

impl World {
    pub fn new(rules: Rules, reset_day: u8, allowance: Allowance, balance: i32) -> World {
        // Never on a period's start to the microsecond: there an answer and the start have no order.
        let now = Day::from_civil(2026, 1, 27).start().plus(20 * HOUR + 1);
        World {
            rules,
            calendar: Calendar { reset_day, changed_at: None },
            allowance,
            now,
            credits: None,
            stamp: None,
            ops: Vec::new(),
            externals: Vec::new(),
            history: Vec::new(),
            untold: Vec::new(),
            pages: Vec::new(),
            balance,
            provider_day: reset_day,
            granted_until: now,
            doomed: false,
            told: false,
        }
    }

    pub fn journal(&self) -> Vec<Sending> {
        self.ops.iter().map(|op| op.sending).chain(self.externals.iter().copied()).collect()
    }

    /// The row as of the clock.
    pub fn rolled(&self) -> Option<Credits> {
        let mut credits = self.credits?;
        while let Some(start) = credits.due(&self.calendar, self.now) {
            let open = unanswered(&self.journal(), start, credits.spent_at);
            credits = (self.rules.begin_period)(&credits, start, open, self.allowance, &self.calendar)?;
        }
        Some(credits)
    }

    /// InMails in flight that the provider was not called for yet.
    pub fn to_come(&self) -> i32 {
        let open = self.ops.iter().filter(|op| op.said.is_none() && op.sending.is_unanswered(self.now));
        open.count() as i32
    }

    pub fn first_expiry(&self) -> Option<Instant> {
        let open = self.ops.iter().filter(|op| op.sending.is_unanswered(self.now));
        open.map(|op| op.sending.expires_at).min()
    }

    /// The reset day before it was changed, which is the provider's.
    pub fn first_reset_day(&self) -> u8 {
        self.provider_day
    }

    fn write(&mut self, event: Event) {
        self.history.push((self.now, event));
    }

    /// One step, each at an instant of its own.
    pub fn live(&mut self, step: &Step) {
        self.now = self.now.plus(SECOND);
        self.provider_grants();
        self.told = false;
        match *step {
            Step::Wait { seconds } => {
                self.now = self.now.plus(seconds * SECOND);
                self.provider_grants();
            }
            Step::Midnight { days, minutes } => {
                let midnight = Day(self.now.day().0 + days).start().plus(minutes * MINUTE + 1);
                self.now = self.now.max(midnight);
                self.provider_grants();
            }
            Step::TopUp { credits } => self.balance += credits,
            Step::Look => self.pages.push(Observation { balance: self.balance, observed_at: self.now }),
            Step::Call { nth, refused } => self.call(nth, refused),
            step => {
                self.credits = self.rolled();
                self.stamp_of_an_earlier_period();
                self.write_step(&step);
                self.own_stamp_falls();
            }
        }
    }

    fn write_step(&mut self, step: &Step) {
        match *step {
            Step::Reserve { forced } => self.reserve(forced),
            Step::Answer { nth } => self.answer(nth),
            Step::Lie { nth } => self.lie(nth),
            Step::ByHand { known_late } => self.by_hand(known_late),
            Step::Tell { back } if !self.pages.is_empty() => {
                let page = self.pages[self.pages.len() - 1 - back % self.pages.len()];
                self.tell(page);
            }
            Step::Forget => {
                self.credits = None;
                self.write(Event::Forgotten);
            }
            Step::ResetDay { day } => {
                self.calendar = Calendar { reset_day: day, changed_at: Some(self.now) };
                self.write(Event::ResetDay { day });
            }
            _ => {}
        }
    }

    fn stamp_of_an_earlier_period(&mut self) {
        let period = credit_period_start(self.calendar.reset_day, self.now);
        self.stamp = self.stamp.filter(|&(at, _)| at >= period);
    }

    fn own_stamp_falls(&mut self) {
        if let Some((_, cause)) = self.stamp
            && !(self.rules.stands)(&cause, self.credits.as_ref())
        {
            self.stamp = None;
        }
    }

    fn reserve(&mut self, forced: bool) {
        if !forced {
            if self.stamp.is_some() {
                return;
            }
            match self.credits.map(|c| (self.rules.read)(&c, self.first_expiry())) {
                None | Some(Reading::Enough) => {}
                Some(Reading::Waits { .. }) => return,
                Some(Reading::Spent) => {
                    self.stamp = Some((self.now, Cause::Spent));
                    return;
                }
            }
        }
        let beyond = self.credits.as_mut().is_some_and(|credits| (self.rules.take)(credits, self.now));
        let sending = Sending {
            reserved_at: self.now,
            expires_at: self.now.plus(TTL),
            settled_at: None,
            fate: Fate::Unanswered,
        };
        let counted = self.credits.is_some() && !beyond;
        self.ops.push(Op { sending, beyond, counted, said: None });
        self.write(Event::Granted { op: self.ops.len() - 1 });
    }

    /// Only before the operation expires, and never after it was rolled back.
    fn call(&mut self, nth: usize, refused: bool) {
        let Some(op) = nth.checked_rem(self.ops.len()).map(|i| &mut self.ops[i]) else { return };
        let may = op.sending.fate == Fate::Unanswered && op.sending.expires_at > self.now;
        if !may || op.said.is_some() {
            return;
        }
        op.said = Some(match (refused, self.balance) {
            (true, _) => Fate::GivenBack,
            (false, 0) => Fate::Refused,
            (false, _) => Fate::Delivered,
        });
        match op.said {
            Some(Fate::Delivered) => self.balance -= 1,
            Some(Fate::Refused) if op.counted => self.doomed = true,
            _ => {}
        }
    }

    fn settle(&mut self, i: usize, fate: Fate) {
        self.ops[i].sending.settled_at = Some(self.now);
        self.ops[i].sending.fate = fate;
    }

    fn answer(&mut self, nth: usize) {
        let Some(i) = nth.checked_rem(self.ops.len()) else { return };
        let op = self.ops[i];
        let Sending { reserved_at, expires_at, settled_at, fate } = op.sending;
        match (fate, op.said) {
            (Fate::Unanswered, Some(Fate::Delivered)) => {
                self.settle(i, Fate::Delivered);
                self.write(Event::Delivered { op: i });
            }
            (Fate::GivenBack, Some(Fate::Delivered)) => {
                if let (Some(credits), Some(released_at)) = (&mut self.credits, settled_at) {
                    (self.rules.take_back)(credits, reserved_at, expires_at, released_at);
                }
                self.settle(i, Fate::Delivered);
                self.write(Event::DeliveredAfterAll { op: i });
            }
            (Fate::Unanswered, Some(Fate::Refused)) => return self.refused(i),
            (Fate::Unanswered, _) => return self.given_back(i),
            _ => return,
        }
        if self.credits.is_some_and(|c| (self.rules.is_contradicted_by)(&c, reserved_at, op.beyond)) {
            self.credits = None;
        }
    }

    fn given_back(&mut self, i: usize) {
        let Sending { reserved_at, expires_at, .. } = self.ops[i].sending;
        if let Some(credits) = &mut self.credits {
            (self.rules.give_back)(credits, reserved_at, expires_at);
        }
        self.settle(i, Fate::GivenBack);
        self.write(Event::GivenBack { op: i });
    }

    fn refused(&mut self, i: usize) {
        let Sending { reserved_at, expires_at, .. } = self.ops[i].sending;
        let others = self.ops.iter().filter(|op| op.sending.is_unanswered(self.now)).count() as i32
            - i32::from(self.ops[i].sending.is_unanswered(self.now));
        let before = self.credits;
        let stale = before.is_some_and(|c| c.outdates(reserved_at, self.now));
        if let Some(credits) = &mut self.credits
            && !(self.rules.exhausted)(credits, reserved_at, self.calendar.reset_day, self.now)
        {
            (self.rules.give_back)(credits, reserved_at, expires_at);
        }
        self.settle(i, Fate::Refused);
        self.write(Event::Refused { op: i });
        let period = credit_period_start(self.calendar.reset_day, self.now);
        if !stale && reserved_at >= period {
            self.stamp = Some(match self.stamp {
                Some((at, cause)) => (at, cause.and_provider(before.as_ref(), others)),
                None => (self.now, Cause::provider(before.as_ref(), others)),
            });
        }
    }

    fn lie(&mut self, nth: usize) {
        if let Some(i) = nth.checked_rem(self.ops.len())
            && self.ops[i].sending.fate == Fate::Unanswered
            && self.ops[i].said != Some(Fate::Refused)
        {
            self.given_back(i);
        }
    }

    fn by_hand(&mut self, known_late: bool) {
        if known_late {
            if self.balance > 0 {
                self.balance -= 1;
                self.untold.push(self.now);
            }
            return;
        }
        let occurred_at = match self.untold.pop() {
            Some(at) => at,
            // A send by hand does not take a credit that a worker's grant has promised.
            None if self.balance > self.to_come() => {
                self.balance -= 1;
                self.now
            }
            None => return,
        };
        if let Some(credits) = &mut self.credits {
            (self.rules.take_external)(credits, occurred_at);
        }
        let settled_at = Some(self.now);
        self.externals.push(Sending {
            reserved_at: occurred_at,
            expires_at: occurred_at,
            settled_at,
            fate: Fate::Delivered,
        });
        self.write(Event::External { occurred_at });
    }

    fn tell(&mut self, page: Observation) {
        let journal = self.journal();
        let told = (self.rules.tell)(
            self.credits.as_ref(),
            page,
            &journal,
            &self.calendar,
            self.allowance,
            self.now,
        );
        self.write(Event::Told(page));
        self.told = true;
        let Told::Counts(credits) = told else { return };
        self.credits = credits;
        if let Some((at, cause)) = &mut self.stamp
            && (self.rules.is_cleared_by)(cause, *at, &page, self.credits.as_ref())
        {
            self.stamp = None;
        }
    }

    /// The provider's own calendar, by which he grants whatever we believe.
    fn provider_grants(&mut self) {
        let calendar = Calendar { reset_day: self.provider_day, changed_at: None };
        while calendar.next_start(self.granted_until) <= self.now {
            self.granted_until = calendar.next_start(self.granted_until);
            let (monthly, ceiling) =
                (self.allowance.monthly.unwrap_or(0), self.allowance.ceiling.unwrap_or(0));
            self.balance = self.balance.max((self.balance + monthly).min(ceiling));
        }
    }
}
