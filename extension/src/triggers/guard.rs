//! `guard_send` and `settle_send`: the gate as two triggers, for the table that an application has
//! already. Same rules, same answers as `reserve`, `confirm` and `rollback`.
//!
//! ```sql
//! CREATE TRIGGER guard BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION
//!     sendgate.guard_send('account_id', 'inmail', 'prospect_id', 'campaign_id', 'operation_id', 'error');
//! CREATE TRIGGER settle AFTER UPDATE ON outbox FOR EACH ROW EXECUTE FUNCTION
//!     sendgate.settle_send('account_id', 'operation_id', 'chat_id', 'error');
//! ```
//!
//! Where workers claim a row by an update, that update is guarded:
//!
//! ```sql
//! CREATE TRIGGER guard BEFORE UPDATE ON outbox FOR EACH ROW
//!     WHEN (NEW.status = 'sending' AND OLD.status IS DISTINCT FROM 'sending') EXECUTE FUNCTION
//!     sendgate.guard_send('account_id', 'inmail', 'prospect_id', 'campaign_id', 'operation_id', 'error');
//! ```
//!
//! Columns may be of any type: a `bigint` account key reads as its digits. The operation id column
//! is `uuid`, `text`, `varchar` or `char`, and wants an index: before the transaction commits, the
//! operations that were granted are looked up in it.

mod declared;
mod send;
mod settle;
mod table;
pub mod unheld;
mod verdict;
