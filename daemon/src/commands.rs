//! What `sendgated COMMAND` does, a command a file.

pub mod account;
pub mod doctor;
pub mod run;
pub mod status;
pub mod tick;
