//! The proof that this transaction holds an account.
//!
//! Everybody takes the locks in one order: account, then enrollments, journal, events and the other rows
//! of that account; of several accounts, by ascending id. So every function that writes rows of an account
//! demands a [`Held`], and a statement that does takes the id from it ([`Held::id`]): no row of an account
//! can be written, or locked, before the account itself.
//!
//! What demands none, and why:
//!
//! - tickets (`dispatch_queue::ticket`, `wake_tier`, `wake_campaign`) are inserted, never updated, so that
//!   a list of a million prospects or a change of a tier stops no account from sending; `enqueue` inserts
//!   enrollments for the same reason;
//! - `campaign_events::count_repeat` waits for its own line alone, so that workers who hammer on an empty
//!   account do not slow down its other actions;
//! - `alerts::resolve_swept` ends the alerts of a whole sweep, which waits for no account and runs once at a
//!   time;
//! - `acknowledge_alert`, `take_breaker_lines` and `prune` touch what no decision reads;
//! - `admin_log` is written last, and only ever added to.

/// An account that this transaction holds until it ends: its row is locked, or was written by it.
///
/// There are four ways to one, and no other: [`accounts::hold`](crate::tables::accounts::hold) and
/// [`many::hold`](crate::tables::accounts::many::hold) lock;
/// [`accounts::write`](crate::tables::accounts::write) and [`Held::by_write`] wrote the version that was
/// decided on; [`Held::by_insert`] is a new account; [`Held::by_statement`] is for statements that lock
/// accounts together with what leads to them. It costs nothing: it is the id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held<'a> {
    id: &'a str,
}

impl<'a> Held<'a> {
    /// For the functions of this folder that lock.
    pub(super) fn by_lock(id: &'a str) -> Held<'a> {
        Held { id }
    }

    /// By a statement that wrote the account where it was the version that was decided on, and so holds
    /// the row by itself; none when it `wrote` no row, because the row has moved on. For `reserve`, whose
    /// slot takes one statement and no lock before it.
    pub fn by_write(id: &'a str, wrote: usize) -> Option<Held<'a>> {
        (wrote == 1).then_some(Held { id })
    }

    /// By a statement that inserted the account, which nobody else sees before this transaction commits;
    /// none when it `inserted` no row, because there was one. For `upsert_account`.
    pub fn by_insert(id: &'a str, inserted: usize) -> Option<Held<'a>> {
        (inserted == 1).then_some(Held { id })
    }

    /// By a statement of the verb's own that selected the account `FOR NO KEY UPDATE`. For `dispatch`,
    /// which picks tickets and holds their accounts in one statement and waits for none of them, and for
    /// `switch_action`, which holds the accounts of a campaign's work by ascending id.
    pub fn by_statement(id: &'a str) -> Held<'a> {
        Held { id }
    }

    /// The account's id.
    pub fn id(self) -> &'a str {
        self.id
    }
}
