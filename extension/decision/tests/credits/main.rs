//! Known credits against a provider who keeps an account of his own, and against an oracle that counts
//! the whole history again after every step.
//!
//! `world` lives: a row, its journal, workers and the provider. `oracle` reads the list of what
//! happened and holds sets of operations, where the crate compares instants. `properties` are what
//! must hold after each step, and each has a mutant that breaks it.

mod months;
mod mutants;
mod oracle;
mod order;
mod properties;
mod rules;
mod stamps;
mod steps;
mod world;
