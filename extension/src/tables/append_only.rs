//! The one way to delete from the append-only logs.

use std::cell::Cell;

thread_local! {
    static PRUNING: Cell<bool> = const { Cell::new(false) };
}

/// Lets `prune` alone delete from the logs.
pub fn pruning(work: impl FnOnce()) {
    struct Stop;
    impl Drop for Stop {
        fn drop(&mut self) {
            PRUNING.set(false);
        }
    }
    let _stop = Stop;
    PRUNING.set(true);
    work();
}

/// Whether that is what this backend does now.
pub fn is_pruning() -> bool {
    PRUNING.get()
}
