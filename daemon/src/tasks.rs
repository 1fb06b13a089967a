//! The tasks of `sendgated run`: each runs until the shutdown signal.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`scheduler`] | runs the jobs that are due |
//! | [`outbox`] | prints the breaker's lines |
//! | [`notifications`] | posts events to webhooks |
//! | [`watch`] | asks each of several databases whether it can be used |
//! | [`http`] | serves `/metrics`, the health pages and the console |
//! | [`metrics`], [`tally`] | the page of `/metrics`, and this process's own counters |

pub mod http;
pub mod metrics;
pub mod notifications;
pub mod outbox;
pub mod scheduler;
pub mod tally;
pub mod watch;
