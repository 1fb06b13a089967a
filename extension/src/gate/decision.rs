//! The answer of `reserve` and `preview` as a row of the type `sendgate.decision`.

use crate::postgres::param::IntoParam;
use crate::postgres::record::CompositeType;
use pgrx::pg_sys;
use sendgate_decision::clock::Instant;
use sendgate_decision::gate::{Counts, Refusal};
use sendgate_decision::names::{OperationId, Reason};

/// The answer of the gate, field by field as in SQL.
pub struct Decision {
    /// The operation that holds the slot; none when nothing was taken.
    pub operation: Option<OperationId>,
    /// Whether to go on.
    pub proceed: bool,
    /// Why not; with a yes, what would have refused if the account were not only observed.
    pub reason: Option<Reason>,
    /// When the refusing rule stops refusing without an event.
    pub retry_at: Option<Instant>,
    /// Until when the worker may call the provider.
    pub expires_at: Option<Instant>,
    /// The counts that go with the answer.
    pub counts: Counts,
    /// Whether this call took the slot; a replay did not.
    pub taken: bool,
}

impl Decision {
    /// A refusal.
    pub fn refuse(refusal: Refusal) -> Decision {
        Decision {
            operation: None,
            proceed: false,
            reason: Some(refusal.reason),
            retry_at: refusal.retry_at,
            expires_at: None,
            counts: refusal.counts,
            taken: false,
        }
    }

    /// The row, in the current memory context.
    pub fn into_datum(self) -> pg_sys::Datum {
        DECISION.row(&[
            self.proceed.param(),
            self.operation.param(),
            self.reason.map(Reason::name).param(),
            self.retry_at.param(),
            self.expires_at.param(),
            self.counts.sent_today.param(),
            self.counts.daily_cap.param(),
            self.counts.remaining.param(),
        ])
    }
}

static DECISION: CompositeType = CompositeType::new(c"decision");
