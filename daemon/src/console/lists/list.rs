//! The lists and their columns.

/// A list, its name in addresses and its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// Accounts as their cards show them, by id.
    Accounts,
    /// Skipped campaign work, newest first.
    Events,
    /// Unknown outcomes, newest first.
    Unknown,
    /// The last attempts of one account, newest first.
    Attempts,
}

impl List {
    /// All of them.
    pub const ALL: [List; 4] = [List::Accounts, List::Events, List::Unknown, List::Attempts];

    /// Its name in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            List::Accounts => "accounts",
            List::Events => "events",
            List::Unknown => "unknown",
            List::Attempts => "attempts",
        }
    }

    /// The columns, in their order.
    pub const fn columns(self) -> &'static [&'static str] {
        match self {
            List::Accounts => &[
                "id",
                "name",
                "status",
                "tier",
                "cooling_until",
                "pill",
                "breaker",
                "sent",
                "cap",
                "delivered",
                "in_flight",
                "unresolved",
                "drift",
            ],
            List::Events => &[
                "id",
                "at",
                "account_id",
                "campaign_id",
                "prospect_id",
                "action",
                "reason",
                "deferred_to",
                "repeats",
                "detail",
            ],
            List::Unknown => &[
                "unknown_since",
                "account_id",
                "operation_id",
                "action",
                "prospect_id",
                "campaign_id",
                "state",
                "reserved_at",
                "http_status",
                "error_type",
                "error",
            ],
            List::Attempts => &[
                "reserved_at",
                "operation_id",
                "action",
                "prospect_id",
                "campaign_id",
                "state",
                "origin",
                "counted_on",
                "expires_at",
                "settled_at",
                "outcome",
                "http_status",
                "error_type",
                "error",
            ],
        }
    }
}
