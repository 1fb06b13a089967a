//! A grant in a transaction that is never committed leaves no trace: the worker sends, the transaction is
//! aborted, and the slot is free again. Some drivers and frameworks begin a transaction by themselves, so the
//! gate warns of it.

use crate::postgres::error::{Code, Error, Result, warn};
use crate::postgres::gucs::{self, InTransaction};
use crate::postgres::transaction_block::is_in_block;
use std::cell::Cell;

thread_local! {
    /// Whether this session was warned.
    static WARNED: Cell<bool> = const { Cell::new(false) };
}

const DETAIL: &str =
    "A grant in a transaction that is rolled back is forgotten, although the worker may have sent on it.";

const HINT: &str = "Commit each call by itself: SQLAlchemy: create_engine(…, isolation_level='AUTOCOMMIT'); Django: outside transaction.atomic and ATOMIC_REQUESTS; psycopg: connect(…, autocommit=True). Where you do commit before you call the provider, SET sendgate.in_transaction = 'allow'.";

/// Warns the client once a session, or refuses, in a transaction block; as `sendgate.in_transaction` says.
///
/// # Errors
/// `SG217` where it says to refuse.
pub fn check(verb: &str) -> Result<()> {
    let mode = gucs::in_transaction();
    if mode == InTransaction::Allow || (mode == InTransaction::Warn && WARNED.get()) || !is_in_block() {
        return Ok(());
    }
    if mode == InTransaction::Refuse {
        let message = format!("{verb} is refused in a transaction block");
        return Err(Error::new(Code::TransactionRefused, message, DETAIL, HINT));
    }
    WARNED.set(true);
    warn(Error::new(Code::InTransaction, format!("{verb} is called in a transaction block"), DETAIL, HINT));
    Ok(())
}
