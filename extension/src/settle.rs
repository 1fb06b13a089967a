//! `confirm_many` and `rollback_many`: a batch of answers in one call, each decided by the same rule as
//! alone and written with a statement a table.
//!
//! All of it or nothing: one element that is wrong names its index and changes nothing.

pub mod batch;
pub mod delivery;
pub mod external;
pub mod failure;
