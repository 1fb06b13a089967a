//! The work of campaigns, except `dispatch`: put in, taken out, paused, switched to another action.

mod cancel;
mod enqueue;
mod enqueue_many;
mod pause_campaign;
mod requeue;
mod resume_deferred;
mod switch_action;
mod work;
