//! The gate: one look at everything that a decision needs, the rule, one write. Shared by `reserve`,
//! `preview`, `dispatch` and `breaker_check`.
//!
//! `look` reads, `rule` asks, `take` writes a slot, `skip` and `clear` write what an open breaker comes to;
//! `known_credits` what a balance that was told does to it; `decision` is the answer in SQL, and `refusals` counts the answers that write nothing.

pub mod clear;
pub mod decision;
pub mod known_credits;
pub mod look;
pub mod refusals;
pub mod rule;
pub mod skip;
pub mod take;
pub mod transaction;
