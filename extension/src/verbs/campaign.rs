//! The verbs of campaign work, except `dispatch`.

mod cancel;
mod deferred;
mod enqueue;
mod pause;
mod switch;
