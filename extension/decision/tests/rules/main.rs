//! The gate's rules against the calendar: windows, pacing, weekly caps, the ramp, and their order.
//!
//! Every expectation comes from `chrono`, `chrono-tz` or from counting a list of grants one by one.
//! Nothing here asks the crate for a week, a budget, a ramp or a wall clock, so that a mistake in
//! its arithmetic cannot be made twice.

mod calendar;
mod ledger;
mod order;
mod pacing;
mod ramp;
mod state;
mod weekly;
mod windows;
