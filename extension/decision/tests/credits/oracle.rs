//! What is left, counted from the whole history by the sentences of the contract: a purse, and the set
//! of operations that still hold a coin of it.

use crate::world::{Event, Op, World};
use sendgate_decision::clock::{Instant, credit_period_start, next_credit_period};
use sendgate_decision::credits::journal::Sending;
use std::collections::BTreeSet;

struct Purse<'a> {
    world: &'a World,
    /// Coins that no operation below holds.
    coins: i32,
    /// Operations that hold a coin, which comes back if they are given back.
    held: BTreeSet<usize>,
    /// Where in the history the balance was told.
    told: usize,
    observed_at: Instant,
    since: Instant,
    spent_at: Option<Instant>,
    reset_day: u8,
    changed_at: Option<Instant>,
}

/// The last balance that counts, with its place in the history; none where nothing is counted.
fn last_told(world: &World) -> Option<usize> {
    let mut last: Option<(usize, Instant)> = None;
    for (i, (at, event)) in world.history.iter().enumerate() {
        last = last.filter(|&(_, observed)| third_start(reset_day(world, i), observed) > *at);
        match *event {
            Event::Told(page) if last.is_none_or(|(_, observed)| page.observed_at >= observed) => {
                last = Some((i, page.observed_at));
            }
            Event::Forgotten => last = None,
            Event::Delivered { op } | Event::DeliveredAfterAll { op } => {
                let op = &world.ops[op];
                last = last.filter(|&(_, observed)| !op.beyond || op.sending.reserved_at <= observed);
            }
            _ => {}
        }
    }
    last.map(|(i, _)| i)
}

/// The reset day and when it was changed, as of the event before this one.
fn reset_day(world: &World, before: usize) -> u8 {
    let changed = world.history[..before].iter().rev().find_map(|(_, event)| match event {
        Event::ResetDay { day } => Some(*day),
        _ => None,
    });
    changed.unwrap_or_else(|| world.first_reset_day())
}

fn third_start(day: u8, observed: Instant) -> Instant {
    (0..3).fold(observed, |at, _| next_credit_period(day, at))
}

/// What is left at the world's clock; none where nothing is counted.
pub fn left(world: &World) -> Option<i32> {
    let told = last_told(world)?;
    let (_, Event::Told(page)) = world.history[told] else { unreachable!() };
    let changed = |(at, event): &(Instant, Event)| match event {
        Event::ResetDay { .. } => Some(*at),
        _ => None,
    };
    let mut purse = Purse {
        world,
        coins: page.balance,
        held: BTreeSet::new(),
        told,
        observed_at: page.observed_at,
        since: page.observed_at,
        spent_at: None,
        reset_day: reset_day(world, told),
        changed_at: world.history[..told].iter().filter_map(changed).next_back(),
    };
    // The operations that were in flight when the page was seen.
    let open: Vec<_> = (0..world.ops.len()).filter(|&op| purse.is_open(op, page.observed_at, told)).collect();
    for op in open {
        purse.grant(op);
    }
    // What happened between the look and the telling, at its own time; then as it was written.
    let mut happened: Vec<(Instant, Event)> = world.history[..told]
        .iter()
        .filter_map(|&(at, event)| before_telling(world, told, at, event))
        .collect();
    happened.retain(|&(at, _)| at > page.observed_at);
    happened.sort_by_key(|&(at, _)| at);
    happened.extend_from_slice(&world.history[told + 1..]);
    for (at, event) in happened {
        purse.roll(at)?;
        purse.hear(at, event);
    }
    purse.roll(world.now)?;
    Some(purse.coins)
}

/// Where a page is told late, the journal tells no more that something was given back before it was
/// delivered, and an external send is known at its own time.
fn before_telling(world: &World, told: usize, at: Instant, event: Event) -> Option<(Instant, Event)> {
    let delivered_by_then =
        |op: usize| world.history[..told].iter().any(|(_, event)| *event == Event::DeliveredAfterAll { op });
    match event {
        Event::Granted { .. } | Event::Refused { .. } => Some((at, event)),
        Event::GivenBack { op } if !delivered_by_then(op) => Some((at, event)),
        Event::External { occurred_at } => Some((occurred_at, event)),
        _ => None,
    }
}

impl Purse<'_> {
    fn op(&self, op: usize) -> &Op {
        &self.world.ops[op]
    }

    /// Reserved by then, not expired and not answered, as the first `known` events have it.
    fn is_open(&self, op: usize, then: Instant, known: usize) -> bool {
        let sending = &self.op(op).sending;
        let answer = self.world.history[..known].iter().rev().find_map(|&(at, event)| match event {
            Event::GivenBack { op: o }
            | Event::Refused { op: o }
            | Event::Delivered { op: o }
            | Event::DeliveredAfterAll { op: o }
                if o == op =>
            {
                Some(at)
            }
            _ => None,
        });
        let reserved = self.world.history[..known].iter().any(|(_, e)| *e == Event::Granted { op });
        let in_time = sending.reserved_at <= then && sending.expires_at > then;
        reserved && in_time && answer.is_none_or(|at| at > then)
    }

    fn grant(&mut self, op: usize) {
        self.coins -= 1;
        self.held.insert(op);
    }

    fn next_start(&self) -> Instant {
        next_credit_period(self.reset_day, self.changed_at.map_or(self.since, |at| at.max(self.since)))
    }

    /// Lives through the period starts up to an instant; none where the counting ends.
    fn roll(&mut self, at: Instant) -> Option<()> {
        if third_start(self.reset_day, self.observed_at) <= at {
            return None;
        }
        while self.next_start() <= at {
            let start = self.next_start();
            let (monthly, ceiling) = (self.world.allowance.monthly?, self.world.allowance.ceiling?);
            // As the row knew it when it was written next: nothing of what came later.
            let events = self.world.history.partition_point(|&(at, _)| at <= start).max(self.told);
            let open: BTreeSet<_> =
                (0..self.world.ops.len()).filter(|&op| self.is_open(op, start, events)).collect();
            let full = self.coins + self.held.intersection(&open).count() as i32;
            self.coins = full.max((full + monthly).min(ceiling)) - open.len() as i32;
            self.held = open;
            self.since = start;
            self.spent_at = None;
        }
        Some(())
    }

    fn hear(&mut self, at: Instant, event: Event) {
        match event {
            Event::Granted { op } => {
                if self.op(op).sending.reserved_at > self.observed_at {
                    self.grant(op);
                }
            }
            Event::GivenBack { op } => self.give_back(op),
            Event::Refused { op } => {
                let reserved = self.op(op).sending.reserved_at;
                let fresh =
                    reserved > self.observed_at && reserved >= credit_period_start(self.reset_day, at);
                if fresh {
                    self.coins = 0;
                    self.held.clear();
                    self.spent_at = Some(at);
                } else {
                    self.give_back(op);
                }
            }
            Event::DeliveredAfterAll { op } => self.take_back(op),
            Event::External { occurred_at } => {
                let after = occurred_at > self.observed_at && self.spent_at.is_none_or(|s| occurred_at > s);
                self.coins -= i32::from(after);
            }
            Event::ResetDay { day } => {
                self.reset_day = day;
                self.changed_at = Some(at);
            }
            Event::Delivered { .. } | Event::Told(_) | Event::Forgotten => {}
        }
    }

    fn give_back(&mut self, op: usize) {
        self.coins += i32::from(self.held.remove(&op));
    }

    /// Takes the coin again, whether it came back since the page was seen or just before: it may have
    /// been sent after that. Of what expired in an earlier period, only if it had come back by then.
    fn take_back(&mut self, op: usize) {
        let Sending { reserved_at, expires_at, .. } = self.op(op).sending;
        let refused = self.spent_at.is_some_and(|spent| reserved_at <= spent);
        let came_back =
            |(at, event): &(Instant, Event)| *event == Event::GivenBack { op } && *at <= self.since;
        let carried = expires_at > self.observed_at && self.world.history.iter().any(came_back);
        if !refused && (expires_at > self.since || carried) {
            self.grant(op);
        }
    }
}
