//! The SQL functions, one a file: check the arguments, hold the row, decide, write, answer. None knows another.

pub mod admin;
pub mod breaker;
pub mod campaign;
pub mod confirm;
pub mod confirm_many;
pub mod dispatch;
pub mod preview;
pub mod record_external_send;
pub mod reserve;
pub mod resolve_operation;
pub mod rollback;
pub mod rollback_many;
pub mod views;
