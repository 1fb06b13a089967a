//! The tables, one file each: rows as values, and the statements that more than one verb needs. The file
//! `X.rs` writes one row, `X/many.rs` several in one statement.

pub mod accounts;
pub mod activity;
pub mod admin_log;
pub mod alerts;
pub mod append_only;
pub mod breaker_log;
pub mod campaign_events;
pub mod campaigns;
pub mod config;
pub mod cooldown_log;
pub mod credit_balances;
pub mod credits;
pub mod dispatch_queue;
pub mod enrollments;
pub mod events;
pub mod home_database;
pub mod journal;
pub mod observed_refusals;
pub mod quarantine;
pub mod suppressions;
pub mod webhook_outbox;
pub mod webhooks;
