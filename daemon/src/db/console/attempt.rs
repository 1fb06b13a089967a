//! An attempt of the journal, as the pages of its account and of its prospect show it.

use serde::{Deserialize, Serialize};

use crate::db::account::Others;
use crate::db::cooldowns::said;
use crate::db::{Timestamp, Untrusted};

/// An attempt of the journal.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Attempt {
    /// When its slot was taken.
    pub reserved_at: Timestamp,
    /// The account.
    pub account_id: Untrusted,
    /// The action.
    pub action: String,
    /// Whom it is for.
    pub prospect_id: Untrusted,
    /// The campaign, if one was named.
    pub campaign_id: Option<Untrusted>,
    /// `reserved`, `delivered`, `released` or `indeterminate`.
    pub state: String,
    /// `gate`, or `external` for a send recorded afterwards.
    pub origin: String,
    /// Until when its worker may call the provider.
    pub expires_at: Timestamp,
    /// What the classifier made of the provider's answer.
    pub outcome: Option<String>,
    /// The provider's HTTP status.
    pub http_status: Option<i32>,
    /// The provider's type of error.
    pub error_type: Option<Untrusted>,
    /// The provider's words.
    pub error: Option<Untrusted>,
    /// The provider's reference to the conversation, where the proof was read as well.
    #[serde(default)]
    pub chat_id: Option<Untrusted>,
    /// When it was delivered, as the event says, where the proof was read as well.
    #[serde(default)]
    pub occurred_at: Option<Timestamp>,
    /// The journal's other columns.
    #[serde(flatten)]
    pub others: Others,
}

impl Attempt {
    /// What became of it.
    pub fn ended(&self, now: Timestamp) -> &str {
        match (self.state.as_str(), self.outcome.as_deref()) {
            ("reserved", _) if self.expires_at <= now => "expired",
            ("reserved", _) => "in flight",
            ("delivered", _) => "delivered",
            (_, Some(outcome)) => outcome,
            (state, None) => state,
        }
    }

    /// What the provider said, in one line.
    pub fn words(&self) -> Option<Untrusted> {
        said(self.http_status, self.error_type.as_ref(), self.error.as_ref())
    }
}
