//! An operator's verdict on operations whose outcome is unknown. Shared by `resolve_operation` and
//! `resolve_unresolved`.

use crate::tables::journal::{ErrorNote, cut};
use sendgate_decision::clock::Instant;
use sendgate_decision::names::OperationState;
use sendgate_decision::settle::Operation;

/// What an operator says about an operation.
#[derive(Clone, Copy)]
pub struct Verdict<'a> {
    /// Whether it was sent.
    pub sent: bool,
    /// Why, in the operator's words.
    pub note: Option<&'a str>,
}

impl Verdict<'_> {
    /// The state that the operation is in afterwards.
    pub fn state(&self) -> OperationState {
        if self.sent { OperationState::Delivered } else { OperationState::Released }
    }

    /// What the journal notes beside the operation.
    pub fn error_note(&self) -> ErrorNote {
        let text =
            if self.sent { "resolved by an operator: sent" } else { "resolved by an operator: not sent" };
        let text = self.note.map_or_else(|| text.to_owned(), |note| format!("{text} ({note})"));
        ErrorNote { message: Some(cut(&text)), ..ErrorNote::default() }
    }
}

/// Whether an operation waits for a verdict: it is indeterminate or expired. Also one that was reserved ahead
/// of the clock, because its time cannot be told any more.
pub fn is_awaited(op: &Operation, now: Instant) -> bool {
    let out_of_time = now >= op.expires_at || now < op.reserved_at;
    op.state == OperationState::Indeterminate || (op.state == OperationState::Reserved && out_of_time)
}
