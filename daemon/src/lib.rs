//! `sendgated`, the daemon of sendgate: it runs the jobs that the database says are due, prints the breaker's
//! lines, and serves the operators' console. It decides nothing: every rule is in the database, and the two
//! share nothing but SQL.
//!
//! A room uses only the rooms below it.
//!
//! | room | what it does |
//! | --- | --- |
//! | [`cli`] | reads the command line and calls one command |
//! | [`commands`] | `run`, `tick`, `status`, `account`, `doctor`, `check-config`, `proxy-sql` |
//! | [`tasks`] | the tasks of `run`: jobs, the breaker's lines, HTTP, metrics |
//! | [`console`] | the operators' pages |
//! | [`db`] | the only room that knows SQL |
//! | [`logging`] | the daemon's own log |
//! | [`config`] | flags, environment, file, tokens |
//! | [`schedule`], [`job`] | the rules of waiting, without a clock; the list of jobs |
//! | [`terminal`], [`words`] | tables and colours; the gate's reasons in words |
//! | [`shutdown`], [`error`] | the signal to stop; the errors, and whether a retry can help |

pub mod cli;
pub mod commands;
pub mod config;
pub mod console;
pub mod db;
pub mod error;
pub mod job;
pub mod logging;
pub mod schedule;
pub mod shutdown;
pub mod tasks;
pub mod terminal;
pub mod words;
