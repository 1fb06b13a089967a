//! Whether all due work of an account is likely to be so little that it is best read at once. Where campaigns take turns,
//! as much as was wanted last was due, so most often more is due now; a session that met such accounts goes from
//! campaign to campaign at once, and looks now and then whether that has changed.

use std::cell::Cell;

/// So many times in vain, one after the other, and it is tried more rarely.
const IN_VAIN_MAX: u32 = 2;

/// One of so many times it is tried then.
const RARELY: u32 = 16;

thread_local! {
    /// How often it was in vain, or left out, since the last time that it was not.
    static IN_VAIN: Cell<u32> = const { Cell::new(0) };
}

/// Whether to read it at once, if it is little.
pub(super) fn is_worth_a_try() -> bool {
    let in_vain = IN_VAIN.get();
    if in_vain < IN_VAIN_MAX || in_vain.is_multiple_of(RARELY) {
        return true;
    }
    IN_VAIN.set(in_vain.wrapping_add(1));
    false
}

/// It was tried, and read all of it or not.
pub(super) fn learn(was_all: bool) {
    IN_VAIN.set(if was_all { 0 } else { IN_VAIN.get().wrapping_add(1) });
}
