//! The books: jobs that keep counter, journal and event log in agreement. Each is a bounded batch in
//! one transaction, safe at any time, any number of times, twice at once.

pub mod audit;
pub mod copied;
pub mod credits;
pub mod credits_low;
pub mod expired;
pub mod loosened;
pub mod midnight;
pub mod outage;
pub mod prune;
pub mod reconcile;
pub mod run;
pub mod sweep;
