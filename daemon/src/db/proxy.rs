//! A proxy in front of partitions: what the partitions say of themselves, and the script that makes the proxy.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`rules`] | where each function runs, one line each |
//! | [`catalog`] | the statements that ask a partition |
//! | [`address`] | the addresses of the partitions |
//! | [`function`], [`relation`] | the statements that make a function or a view |
//! | [`script`] | all of it in order |

pub mod address;
pub mod catalog;
pub mod function;
pub mod relation;
pub mod rules;
pub mod script;
mod text;
