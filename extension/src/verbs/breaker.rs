//! What there is to do with the breaker alone: ask it, report to it, set it by hand, print its log.

pub mod check;
pub mod manual;
pub mod report;
pub mod take_lines;
