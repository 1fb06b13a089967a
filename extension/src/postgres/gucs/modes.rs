//! The settings that say how far the gate is in force: in a transaction block, where rules are only observed, in
//! a copy of the books.

use pgrx::PostgresGucEnum;
use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};
use sendgate_decision::names::Enforcement;

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

/// [`Enforcement`] as a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PostgresGucEnum)]
enum Mode {
    #[name = c"enforce"]
    Enforce,
    #[name = c"observe"]
    Observe,
}

static IN_TRANSACTION: GucSetting<InTransaction> = GucSetting::<InTransaction>::new(InTransaction::Warn);

static ENFORCEMENT: GucSetting<Mode> = GucSetting::<Mode>::new(Mode::Enforce);

static COPY_CHECK: GucSetting<bool> = GucSetting::<bool>::new(true);

/// `sendgate.in_transaction`.
pub fn in_transaction() -> InTransaction {
    IN_TRANSACTION.get()
}

/// `sendgate.enforcement`: for accounts that have no enforcement of their own.
pub fn enforcement() -> Enforcement {
    match ENFORCEMENT.get() {
        Mode::Enforce => Enforcement::Enforce,
        Mode::Observe => Enforcement::Observe,
    }
}

/// `sendgate.copy_check`: whether a copy of the books is refused everything.
pub fn copy_check() -> bool {
    COPY_CHECK.get()
}

/// Defines these settings.
pub(super) fn define() {
    GucRegistry::define_enum_guc(
        c"sendgate.in_transaction",
        c"What reserve and dispatch do in a transaction block.",
        c"A grant in a transaction that is never committed is a yes that is not remembered.",
        &IN_TRANSACTION,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"sendgate.enforcement",
        c"Whether the rules refuse, or are only observed; for accounts without a mode of their own.",
        c"dispatch always enforces.",
        &ENFORCEMENT,
        GucContext::Suset,
        GucFlags::default(),
    );
    GucRegistry::define_bool_guc(
        c"sendgate.copy_check",
        c"Whether everything is refused in a database other than the one in which the books were written.",
        c"Until adopt_database: a restored dump must not send beside its original.",
        &COPY_CHECK,
        GucContext::Suset,
        GucFlags::default(),
    );
}
