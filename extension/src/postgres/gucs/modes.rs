//! The settings that are words.

use pgrx::PostgresGucEnum;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

/// What to do about a grant in a transaction block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
pub enum InTransaction {
    /// Nothing.
    #[name = c"allow"]
    Allow,
    /// Warn the client, once a session.
    #[name = c"warn"]
    Warn,
    /// Refuse before anything is decided.
    #[name = c"refuse"]
    Refuse,
}

static IN_TRANSACTION: GucSetting<InTransaction> = GucSetting::<InTransaction>::new(InTransaction::Warn);

/// `sendgate.in_transaction`.
pub fn in_transaction() -> InTransaction {
    IN_TRANSACTION.get()
}

/// Defines these settings.
pub(super) fn define() {
    GucRegistry::define_enum_guc(
        c"sendgate.in_transaction",
        c"What reserve and dispatch do in a transaction block.",
        c"A grant in a transaction that is never committed is a yes that nobody remembers.",
        &IN_TRANSACTION,
        GucContext::Userset,
        GucFlags::default(),
    );
}
