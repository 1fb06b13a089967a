//! Settling an operation: what it comes to, and everything that is written then. Shared by `confirm`,
//! `rollback`, `resolve_operation`, `resolve_unresolved`, `record_external_send`, their `_many` forms and the triggers.
//!
//! `delivery` and `failure` settle one operation, `batch` several, and `external` a send that did not
//! pass the gate. `known_credits` is what an answer
//! does to a balance that was told, and `verdict` what an operator says of an unknown outcome.

pub mod batch;
pub mod cooldowns;
pub mod delivery;
pub mod external;
pub mod failure;
pub mod known_credits;
pub mod verdict;
