//! Why the breaker is stamped, and which balance clears it (`balance_evidence`).

use super::{Credits, Observation};
use crate::clock::Instant;

/// Who stamped the breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The provider refused an InMail for want of credits.
    Provider {
        /// Only a balance above this proves that there are credits again: a lower one may be a page
        /// that lags. 0 where nothing was counted.
        above: i32,
    },
    /// None were left by our own count, so that no call had to be refused (`credits_spent`).
    Spent,
    /// An operator. No balance clears it.
    Manual,
}

impl Cause {
    /// The provider's refusal where nothing was counted.
    pub const UNCOUNTED: Cause = Cause::Provider { above: 0 };

    /// The provider's refusal of an operation. `credits` are as before it is settled, and
    /// `others_unanswered` the InMails in flight beside it.
    pub fn provider(credits: Option<&Credits>, others_unanswered: i32) -> Cause {
        let counted = |c: &Credits| c.left.saturating_add(others_unanswered).saturating_add(1);
        Cause::Provider { above: credits.map_or(0, counted).max(0) }
    }

    /// What a stamp that is there becomes when the provider refuses too: its word weighs more than
    /// our count. Its first refusal stays the measure.
    #[must_use]
    pub fn and_provider(self, credits: Option<&Credits>, others_unanswered: i32) -> Cause {
        match self {
            Cause::Spent => Cause::provider(credits, others_unanswered),
            known => known,
        }
    }

    /// Whether the stamp stands by what is counted now: our own does while none are left, and goes
    /// with the counting. The caller asks after every change of the number.
    pub fn stands(&self, credits: Option<&Credits>) -> bool {
        !matches!(self, Cause::Spent) || credits.is_some_and(|c| c.left <= 0)
    }

    /// Whether a balance that was told clears a stamp set at `stamped_at`; a provider's remembers the
    /// lowest that did not. `credits` are as they are after the balance was heard. Not asked for one
    /// that was older than the last.
    pub fn is_cleared_by(
        &mut self,
        stamped_at: Instant,
        told: &Observation,
        credits: Option<&Credits>,
    ) -> bool {
        let Cause::Provider { above } = self else {
            return !self.stands(credits);
        };
        let refused_since = credits.is_some_and(|c| c.spent_at.is_some());
        if told.observed_at <= stamped_at || refused_since {
            return false;
        }
        if told.balance > *above {
            return true;
        }
        *above = told.balance;
        false
    }
}
