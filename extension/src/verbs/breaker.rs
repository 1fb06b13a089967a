//! The breaker's verbs, and the clear that they share with the gate.

pub mod check;
pub mod manual;
pub mod report;
pub mod take_lines;
