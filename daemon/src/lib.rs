//! `sendgated`, the thin daemon of sendgate: it runs what the database says is due, prints the
//! breaker's lines, and shows operators what happens. It decides nothing; every rule is in the
//! database, and the two share nothing but SQL.
//!
//! Read from the top: what a room uses is below it.
//!
//! | room | what it does |
//! | --- | --- |
//! | [`cli`] | the command line; which command is called |
//! | [`commands`] | `run`, `tick`, `status`, `account`, `doctor` |
//! | [`tasks`] | what `run` keeps going: jobs, the breaker's lines, whatever is served, and the numbers of all that |
//! | [`console`] | the operators' pages |
//! | [`logging`] | the daemon's own log |
//! | [`db`] | the only room that knows SQL |
//! | [`config`] | what was asked for: flags, environment, file, tokens |
//! | [`schedule`], [`job`] | pure rules of waiting; the jobs and what became of one |
//! | [`terminal`], [`words`] | how tables and answers are written |
//! | [`shutdown`], [`error`] | the one signal to stop, what may be retried |

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
