//! The verbs of operators.

mod account;
mod caps;
mod cooldown;
mod repair;
mod rules;
mod status;
mod switch;
mod window;

/// Largest cap: no provider lets an account send ten thousand a day, so more is a slip of the keys.
const CAP_MAX: i32 = 10_000;
