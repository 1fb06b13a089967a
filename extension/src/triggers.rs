//! Trigger functions: on sendgate's own tables, and on an application's.

pub mod guard;
pub mod own_tables;
