//! The work of campaigns, except `dispatch`: put in, taken out, paused, switched to another action.

pub mod cancel;
pub mod enqueue;
pub mod pause_campaign;
pub mod resume_deferred;
pub mod switch_action;
