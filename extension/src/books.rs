//! The books: jobs that keep counter, journal and event log in agreement. Each is a bounded batch in
//! one transaction, safe at any time, any number of times, twice at once.

mod alerts;
mod audit;
mod chunk;
mod job;
mod midnight;
mod outbox;
mod prune;
mod reconcile;
