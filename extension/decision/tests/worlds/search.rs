//! Breadth first through every state, asking the properties of every transition. The first transition
//! that breaks one is reached by a shortest path, which is what is printed.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write;

use crate::known::start;
use crate::properties::{Property, Transition};
use crate::protocol::{Step, steps, take};
use crate::worlds::World;

/// More states than this are no small world any more.
const STATES_MAX: usize = 2_000_000;

/// What a search found.
pub struct Searched {
    /// States that can be reached.
    pub states: usize,
    /// Transitions between them.
    pub transitions: usize,
    /// Steps to the state that is farthest away.
    pub depth: usize,
    /// The first broken property, and the shortest way to it.
    pub broken: Option<Broken>,
}

/// A broken property.
pub struct Broken {
    /// Which.
    pub property: &'static str,
    /// The steps that lead there, one a line, with the world after each.
    pub trace: String,
    /// How many steps those are.
    pub steps: usize,
}

/// Searches a world to its end, or to the first transition that breaks one of the properties.
pub fn search(world: &World, properties: &[Property]) -> Searched {
    let exact = (world.rules.finds_version)(true);
    let start = start(world);
    let mut seen = HashSet::from([start.key(exact)]);
    // For each state, in the order in which they were found: where from, by which step, how far.
    let mut found: Vec<(usize, Step, usize)> = vec![(0, Step::Tick, 0)];
    let mut ahead = VecDeque::from([(0, start)]);
    let mut searched = Searched { states: 0, transitions: 0, depth: 0, broken: None };
    while let Some((number, before)) = ahead.pop_front() {
        let depth = found[number].2;
        searched.depth = searched.depth.max(depth);
        for step in steps(world, &before) {
            let Some(after) = take(world, &before, step) else { continue };
            searched.transitions += 1;
            let is_new = seen.insert(after.key(exact));
            let transition = Transition { world, before: &before, step, after: &after };
            let mut asked = properties.iter().filter(|property| is_new || !property.of_state);
            if let Some(broken) = asked.find(|property| !(property.holds)(&transition)) {
                let mut way = way_to(&found, number);
                way.push(step);
                let trace = tell(world, &way);
                searched.broken = Some(Broken { property: broken.name, trace, steps: way.len() });
                searched.states = found.len();
                return searched;
            }
            if is_new {
                assert!(found.len() < STATES_MAX, "{}: not a small world", world.name);
                ahead.push_back((found.len(), after));
                found.push((number, step, depth + 1));
            }
        }
    }
    searched.states = found.len();
    searched
}

fn way_to(found: &[(usize, Step, usize)], mut number: usize) -> Vec<Step> {
    let mut way = Vec::new();
    while number > 0 {
        way.push(found[number].1);
        number = found[number].0;
    }
    way.reverse();
    way
}

/// The way again, step by step, for people.
fn tell(world: &World, way: &[Step]) -> String {
    let mut state = start(world);
    let mut text = String::new();
    for (number, &step) in way.iter().enumerate() {
        state = take(world, &state, step).expect("the way is possible");
        let row = &state.account;
        let _ = writeln!(
            text,
            "{:3}. {step:?} at instant {}: counter {} on day {}, before {:?}; {} attempts, {:?}; stamp {:?}, probe {:?}; \
             credits {:?} of {}",
            number + 1,
            state.at,
            row.sent_today[0],
            row.day.0,
            row.sent_before.map(|before| before[0]),
            row.attempts_today[0],
            row.failures[0],
            row.breaker.exhausted_at,
            row.breaker.probe,
            row.credits.map(|known| known.left),
            state.provider,
        );
        for op in &state.ops {
            let _ = writeln!(
                text,
                "       {:?} on day {} for {}, sent: {}, held: {}, came back: {}",
                op.operation.state,
                op.operation.counted_on.0,
                op.prospect,
                op.sent_at.is_some(),
                op.held,
                op.freed,
            );
        }
    }
    text
}
