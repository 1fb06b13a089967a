//! What there is to do with the breaker alone: ask it, report to it, set it by hand, print its log.

mod check;
mod manual;
mod report;
mod take_lines;
