//! The work of campaigns, except `dispatch`: put in, taken out, paused, switched to another action.

mod cancel;
mod enqueue;
mod pause_campaign;
mod resume_deferred;
mod switch_action;
mod work;
