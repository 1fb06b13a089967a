//! Campaign work as pages show it: of one prospect, and of one campaign.

use serde::Deserialize;

use tokio_postgres::types::Type;

use crate::db::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// One piece of it, by the primary key.
const ONE: &str = "SELECT to_jsonb(e) - 'payload' FROM sendgate.enrollments AS e
WHERE e.account_id = $1 AND e.prospect_id = $2 AND e.campaign_id = $3 AND e.action = $4 AND e.step = $5";

/// A piece of campaign work, from `enrollments`.
#[derive(Clone, Debug, Deserialize)]
pub struct Enrollment {
    /// The account that it goes through.
    pub account_id: Untrusted,
    /// Whom it is for.
    pub prospect_id: Untrusted,
    /// The campaign.
    pub campaign_id: Untrusted,
    /// The action.
    pub action: String,
    /// Which message of the sequence, from 1.
    pub step: i32,
    /// `waiting`, `sending`, `done`, `parked` or `cancelled`.
    pub state: String,
    /// Why it is in its state, from a closed list.
    pub reason: Option<String>,
    /// The provider's words of the last attempt that failed.
    pub error: Option<Untrusted>,
    /// How often it was handed out.
    pub attempts: i32,
    /// When it is due, if it waits for a time.
    pub next_dispatch_at: Option<Timestamp>,
    /// When it was put in.
    pub enqueued_at: Timestamp,
    /// When its state, due time or reason last changed.
    pub changed_at: Timestamp,
    /// Whether its campaign is paused.
    #[serde(default)]
    pub paused: bool,
}

impl Enrollment {
    /// Whether an operator may put it back.
    pub fn can_be_put_back(&self) -> bool {
        matches!(self.state.as_str(), "parked" | "cancelled" | "done")
    }

    /// Whether it waits and nothing of its own holds it back.
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.state == "waiting" && self.next_dispatch_at.is_some_and(|at| at <= now)
    }
}

impl Session {
    /// A piece of work by its account, prospect, campaign and action, and its step; none if there is none.
    pub async fn enrollment(&self, key: (&str, &str, &str, &str), step: i32) -> Result<Option<Enrollment>> {
        let parameters = [
            (&key.0 as _, Type::TEXT),
            (&key.1 as _, Type::TEXT),
            (&key.2 as _, Type::TEXT),
            (&key.3 as _, Type::TEXT),
            (&step as _, Type::INT4),
        ];
        let found = self.objects("reading campaign work", ONE, &parameters).await?;
        Ok(found.into_iter().next())
    }
}
