//! Taking a slot: one look at everything, the rule, one write. What `reserve`, `preview`, `dispatch` and
//! `breaker_check` share.

pub mod clear;
pub mod decision;
pub mod look;
pub mod refusals;
pub mod rule;
pub mod skip;
pub mod take;
