//! The proof that this transaction holds an account.
//!
//! All transactions take locks in one order: the account, then its enrollments, journal, events and other
//! rows; of several accounts, by ascending id. So every function that writes rows of an account demands a
//! [`Held`], and a statement of a verb's own takes the id from one ([`Held::id`]). Code that writes a row of
//! an account before it holds the account does not compile.
//!
//! Some writes demand none:
//!
//! - `dispatch_queue::{ticket, wake_tier, wake_campaign, wake_unheld}` insert tickets and update none, and `enqueue`
//!   inserts enrollments: a list of a million prospects, or a change of a tier, stops no account from sending.
//! - `campaign_events::count_repeat` waits for its own line alone: workers that ask again and again about an
//!   empty account do not slow down its other actions.
//! - `alerts::resolve_swept` ends alerts of a whole sweep, which waits for no account and runs once at a time.
//! - `acknowledge_alert`, `take_breaker_lines` and `prune` change what no decision reads.
//! - `admin_log` is only added to, and last.

/// An account that this transaction holds until it ends, because it locked the row or wrote it.
///
/// `accounts::hold` and `accounts::many::hold` lock it; `accounts::write` wrote the version that was decided
/// on. The constructors below are for verbs whose own statements do the same; each says for which. At run
/// time it is the id and nothing more.
///
/// A subtransaction that is rolled back gives up what it locked: no `Held` of it may be used after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Held<'a> {
    id: &'a str,
}

impl<'a> Held<'a> {
    /// For the functions of this folder that lock.
    pub(super) fn by_lock(id: &'a str) -> Held<'a> {
        Held { id }
    }

    /// By a statement that wrote the account where it was the version that was decided on, and so holds the
    /// row; none when it `wrote` no row, because the row has moved on. For the slot of `reserve`, which takes
    /// one statement and no lock before it.
    pub fn by_write(id: &'a str, wrote: usize) -> Option<Held<'a>> {
        (wrote == 1).then_some(Held { id })
    }

    /// By a statement that inserted the account, which other transactions do not see before this one commits;
    /// none when it `inserted` no row, because there was one. For `upsert_account`.
    pub fn by_insert(id: &'a str, inserted: usize) -> Option<Held<'a>> {
        (inserted == 1).then_some(Held { id })
    }

    /// By a statement that selected the account `FOR NO KEY UPDATE`. For `dispatch`, which picks tickets and
    /// holds their accounts in one statement, leaving out those that others hold, so that it waits for none
    /// and their order is free; and for `switch_action`, which holds the accounts of a campaign's work by
    /// ascending id.
    pub fn by_statement(id: &'a str) -> Held<'a> {
        Held { id }
    }

    /// The account's id.
    pub fn id(self) -> &'a str {
        self.id
    }
}
