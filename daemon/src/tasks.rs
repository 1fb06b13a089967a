//! What `sendgated run` keeps going until it is told to stop.

pub mod http;
pub mod metrics;
pub mod outbox;
pub mod scheduler;
pub mod tally;
