//! The commands of the command line, one a file. Each answers whether all is well, which is the exit status.

pub mod account;
pub mod check_config;
pub mod doctor;
pub mod proxy_sql;
pub mod run;
pub mod status;
pub mod tick;
