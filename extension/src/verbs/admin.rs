//! What operators do: accounts, caps, error rules, the switch for everything, alerts.

mod acknowledge_alert;
mod adopt_database;
mod caps;
mod clear_cooldown;
mod error_rules;
mod forget_credit_balance;
mod pause_all;
mod repair_day;
mod set_campaign;
mod set_enforcement;
mod set_pace;
mod set_status;
mod set_window;
mod suppress_prospect;
mod upsert_account;

/// Largest cap: no provider lets an account send ten thousand a day, so more is a slip of the keys.
const CAP_MAX: i32 = 10_000;
