//! What operators do: accounts, caps, error rules, the switch for everything, alerts.

pub mod acknowledge_alert;
pub mod caps;
pub mod clear_cooldown;
pub mod error_rules;
pub mod pause_all;
pub mod repair_day;
pub mod set_status;
pub mod set_window;
pub mod upsert_account;

/// Largest cap: no provider lets an account send ten thousand a day, so more is a slip of the keys.
const CAP_MAX: i32 = 10_000;
