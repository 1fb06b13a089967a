//! A proxy in front of partitions: what the partitions say of themselves, and the script that makes the proxy.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`rules`] | where each function runs, one line each |
//! | [`catalog`] | the statements that ask a partition |
//! | [`beside`] | the partitions beside each other |
//! | [`address`] | the addresses of the partitions |
//! | [`function`], [`relation`] | the statements that make a function or a view |
//! | [`script`] | all of it in order |
//! | [`installed`] | what a proxy has, to be compared |

pub mod address;
pub mod beside;
pub mod catalog;
pub mod function;
pub mod installed;
pub mod relation;
pub mod rules;
pub mod script;
mod text;
