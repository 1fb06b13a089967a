//! The accounts and enrollments that a plan is about, as those who write it need them.

use crate::verbs::dispatch::candidates::Candidate;
use crate::verbs::dispatch::pick::{Pair, Visited};
use crate::verbs::dispatch::plan::Fate;
use sendgate_decision::clock::Instant;
use sendgate_decision::names::{Action, EnrollmentState, OperationId, Reason};

/// What a plan is about.
pub(super) struct Batch<'a> {
    /// The accounts.
    pub visited: &'a [Visited],
    /// Their actions.
    pub pairs: &'a [Pair],
    /// The enrollments.
    pub candidates: &'a [Candidate],
    /// When the plan was made.
    pub now: Instant,
    /// Whether rows may be written where they lie; after a refused row each is written by a statement, which says
    /// more about it.
    pub is_straight: bool,
}

impl Batch<'_> {
    /// The account of a candidate.
    pub fn account(&self, candidate: usize) -> &str {
        self.visited[self.pairs[self.candidates[candidate].pair].account].id()
    }

    /// The action of a candidate.
    pub fn action(&self, candidate: usize) -> Action {
        self.pairs[self.candidates[candidate].pair].action
    }
}

/// What an enrollment becomes: state, due, attempts, reason, operation.
pub(super) fn outcome_of(
    candidate: &Candidate,
    fate: &Fate,
) -> (EnrollmentState, Option<Instant>, i32, Option<Reason>, Option<OperationId>) {
    let attempts = candidate.attempts;
    match fate {
        Fate::Granted(slot) => {
            (EnrollmentState::Sending, None, attempts.saturating_add(1), None, Some(slot.operation))
        }
        Fate::Postponed(reason, until) => (EnrollmentState::Waiting, *until, attempts, Some(*reason), None),
        Fate::Spared(_) => {
            (EnrollmentState::Cancelled, None, attempts, Some(Reason::ProspectSuppressed), None)
        }
        Fate::Skipped(until) => {
            (EnrollmentState::Waiting, Some(*until), attempts, Some(Reason::CreditsExhausted), None)
        }
    }
}
