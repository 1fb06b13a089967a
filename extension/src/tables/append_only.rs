//! The ways past the triggers that keep rows: `prune` and `remove_account` delete, `forget_prospect` changes.

use std::cell::Cell;

/// What the triggers let pass in this backend now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Allowed {
    Nothing,
    Deleting,
    Changing,
}

thread_local! {
    static ALLOWED: Cell<Allowed> = const { Cell::new(Allowed::Nothing) };
}

/// Lets `work` delete, for `prune` and `remove_account` alone.
pub fn deleting<T>(work: impl FnOnce() -> T) -> T {
    allowing(Allowed::Deleting, work)
}

/// Lets `work` change rows, for `forget_prospect` alone.
pub fn changing<T>(work: impl FnOnce() -> T) -> T {
    allowing(Allowed::Changing, work)
}

fn allowing<T>(what: Allowed, work: impl FnOnce() -> T) -> T {
    struct Stop;
    impl Drop for Stop {
        fn drop(&mut self) {
            ALLOWED.set(Allowed::Nothing);
        }
    }
    let _stop = Stop;
    ALLOWED.set(what);
    work()
}

/// Whether rows may be deleted now.
pub fn may_delete() -> bool {
    ALLOWED.get() == Allowed::Deleting
}

/// Whether rows may be changed now.
pub fn may_change() -> bool {
    ALLOWED.get() == Allowed::Changing
}
