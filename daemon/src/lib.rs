//! `sendgated`, the thin daemon of sendgate: it runs what the database says is due, prints the
//! breaker's lines, and shows operators what happens. It decides nothing; every rule is in the
//! database, and the two share nothing but SQL.
//!
//! Read from the top: what a room uses is below it.
//!
//! | room | what it does |
//! | --- | --- |
//! | [`cli`] | the command line; which command is called |
//! | [`run`] | the daemon: starts its tasks, stops and joins them |
//! | [`scheduler`], [`outbox`], [`http`] | the tasks: jobs, the breaker's lines, whatever is served |
//! | [`console`] | the operators' pages |
//! | [`status`], [`account`], [`doctor`] | the commands that look and end |
//! | [`metrics`], [`terminal`], [`words`] | how numbers, tables and answers are written |
//! | [`db`] | the only room that knows SQL |
//! | [`config`], [`logging`] | what was asked for; the daemon's own log |
//! | [`schedule`], [`shutdown`], [`error`] | pure rules of waiting, the one signal to stop, what may be retried |

pub mod account;
pub mod cli;
pub mod config;
pub mod console;
pub mod db;
pub mod doctor;
pub mod error;
pub mod http;
pub mod logging;
pub mod metrics;
pub mod outbox;
pub mod run;
pub mod schedule;
pub mod scheduler;
pub mod shutdown;
pub mod status;
pub mod terminal;
pub mod words;
