//! The SQL functions, one a file. Each has the same shape: check the arguments, hold the account, decide,
//! write, answer. A verb does not call another verb; what two of them share lies in `gate` or `settle`.

pub mod admin;
pub mod breaker;
pub mod campaign;
pub mod confirm;
pub mod confirm_many;
pub mod credit_forecast;
pub mod dispatch;
pub mod leaving;
pub mod notifications;
pub mod preview;
pub mod record_credit_balance;
pub mod record_external_send;
pub mod reserve;
pub mod resolve_operation;
pub mod resolve_unresolved;
pub mod rollback;
pub mod rollback_many;
pub mod views;
