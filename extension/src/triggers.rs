//! Trigger functions: `own_tables` for the tables of sendgate, `guard` for tables of an application.

pub mod guard;
pub mod own_tables;
