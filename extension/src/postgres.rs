//! How to talk to PostgreSQL: arguments, statements, rows, errors, catalog, hooks. Knows no rule of
//! sendgate, and no table of it.

pub mod actor;
pub mod arrivals;
pub mod catalog;
mod caught;
pub mod clock;
pub mod commit;
pub mod deferred;
pub mod error;
pub mod function;
pub mod gucs;
pub mod ids;
pub mod index_scan;
pub mod invalidation;
pub mod jsonb;
mod list;
pub mod lock_timeout;
pub mod param;
mod plain_table;
pub mod planner;
mod raw;
pub mod record;
pub mod replication;
mod rewritten;
pub mod row;
mod sqlstate;
pub mod statement;
pub mod subtransaction;
pub mod table_write;
pub mod transaction_block;
pub mod trigger;
pub mod version;
pub mod zone;
