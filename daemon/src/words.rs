//! The gate's reasons in words, as headings. The cause, its words and what can be done come from `sendgate.why`.

/// What is said of books that were written in another database.
pub const COPIED: &str = "this database is a copy: its books were written in another one, and nothing is sent from it before adopt_database(note)";

/// What is said while the setting lets every account be observed.
pub const OBSERVED_BY_SETTING: &str = "the rules are only observed: sendgate.enforcement is observe, so what they would refuse is granted and counted";

/// A reason of the gate's closed list in words; a reason of a later version stays as it is.
pub fn explained(reason: &str) -> &str {
    match reason {
        "paused_by_operator" => "everything is stopped",
        "account_not_connected" => "the account is not connected",
        "breaker_forced_open" => "an operator stopped its InMails",
        "account_inmail_credits_exhausted" => "its InMail credits are exhausted",
        "account_cooldown" => "the account cools down",
        "action_cooldown" => "this action cools down",
        "outside_sending_window" => "it is outside its sending window",
        "prospect_suppressed" => "this prospect wants no contact",
        "operation_in_flight" => "the outcome of an earlier one for this prospect is not known yet",
        "prospect_cooldown" => "this prospect was written to a short while ago",
        "pacing" => "it keeps a distance to its last send",
        "weekly_cap_reached" => "its weekly cap is reached",
        "daily_cap_reached" => "its daily cap is reached",
        "daily_attempts_reached" => "too many of today's attempts failed",
        "operation_resolved" => "this operation was answered already, and another attempt needs another id",
        "campaign_limit_reached" => "the campaign has taken its part of the day",
        // Reasons why campaign work was given up; they are in the same lists.
        "inmail_eligibility" => "the recipient takes no InMails",
        "recipient_refused" => "the recipient refused",
        other => other,
    }
}
