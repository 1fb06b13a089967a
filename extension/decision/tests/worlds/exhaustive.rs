//! Every world to its end by the rule as it is.

use crate::properties::ALL;
use crate::rules::REAL;
use crate::search::search;
use crate::worlds::{self, World};

/// Searches a world; `states_min` is a floor under its size, so that a rule of the world that by
/// accident forbids half of what can happen is noticed.
fn holds_everywhere(world: &World, states_min: usize) {
    let searched = search(world, ALL);
    println!(
        "{}: {} states, {} transitions, {} steps deep",
        world.name, searched.states, searched.transitions, searched.depth
    );
    if let Some(broken) = searched.broken {
        panic!(
            "{}: {} is broken after {} steps:\n{}",
            world.name, broken.property, broken.steps, broken.trace
        );
    }
    assert!(searched.states >= states_min, "{}: only {} states", world.name, searched.states);
}

#[test]
fn days() {
    holds_everywhere(&worlds::days(REAL), 130_000);
}

#[test]
fn unknowns() {
    holds_everywhere(&worlds::unknowns(REAL), 60_000);
}

#[test]
fn crowd() {
    holds_everywhere(&worlds::crowd(REAL), 100_000);
}

#[test]
fn prospects() {
    holds_everywhere(&worlds::prospects(REAL), 330_000);
}

#[test]
fn truths() {
    holds_everywhere(&worlds::truths(REAL), 250_000);
}

#[test]
fn drift() {
    holds_everywhere(&worlds::drift(REAL), 210_000);
}

#[test]
fn breaker() {
    holds_everywhere(&worlds::breaker(REAL), 190_000);
}

#[test]
fn operators() {
    holds_everywhere(&worlds::operators(REAL), 130_000);
}

#[test]
fn tries() {
    holds_everywhere(&worlds::tries(REAL), 240_000);
}

#[test]
fn known() {
    holds_everywhere(&worlds::known(REAL), 250_000);
}

#[test]
fn failing() {
    holds_everywhere(&worlds::failing(REAL), 370_000);
}
