//! Cooldowns as their log has them, and what the provider said.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Timestamp, Untrusted};

/// A cooldown that began, was moved or ended, from `cooldown_log`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct CooldownChange {
    /// When.
    pub at: Timestamp,
    /// The action; none: the whole account.
    pub action: Option<String>,
    /// Until when it lasts from then on; none: it was over.
    pub until: Option<Timestamp>,
    /// The cause, from a closed list.
    pub cause: String,
    /// The provider's HTTP status.
    pub http_status: Option<i32>,
    /// The provider's type of error.
    pub error_type: Option<Untrusted>,
    /// The provider's words.
    pub error: Option<Untrusted>,
    /// The login or operator that changed it.
    pub actor: Untrusted,
    /// The cause in an operator's words.
    pub note: Option<Untrusted>,
    /// The log's other columns.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl CooldownChange {
    /// What the provider said, in one line.
    pub fn words(&self) -> Option<Untrusted> {
        said(self.http_status, self.error_type.as_ref(), self.error.as_ref())
    }
}

/// A provider's answer in one line; none if it said nothing.
pub fn said(
    http_status: Option<i32>,
    error_type: Option<&Untrusted>,
    error: Option<&Untrusted>,
) -> Option<Untrusted> {
    let of = |text: Option<&Untrusted>| text.map(|text| text.raw().to_owned());
    let status = http_status.map(|status| status.to_string());
    let parts: Vec<String> = [status, of(error_type), of(error)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| Untrusted::from(parts.join(" ")))
}
