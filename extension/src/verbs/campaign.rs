//! The verbs of campaign work, except `dispatch`.

pub mod cancel;
pub mod enqueue;
pub mod pause_campaign;
pub mod resume_deferred;
pub mod switch_action;
