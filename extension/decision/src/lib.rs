//! The sendgate rule as pure functions: no PostgreSQL, no clock of its own, no I/O.
//!
//! `now` is always an argument, an account is a value, and an answer says *what* is to happen;
//! the extension does it. Everything here is tested in milliseconds.
//!
//! ```text
//! gate → budget, breaker → pace, failures, window → account → clock        external → settle
//! enrollment → classify → answer        gate, settle → credits → clock        books        turns        entries
//! ```

pub mod account;
pub mod answer;
pub mod books;
pub mod breaker;
pub mod budget;
pub mod classify;
pub mod clock;
pub mod credits;
pub mod enrollment;
pub mod entries;
pub mod external;
pub mod failures;
pub mod gate;
pub mod literal;
pub mod names;
pub mod pace;
pub mod settle;
pub mod turns;
pub mod window;
