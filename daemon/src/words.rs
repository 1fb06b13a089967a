//! The gate's reasons in words. How to end a refusal is said where it can be done: the console names its
//! buttons, the terminal the SQL functions.

/// What is said of books that were written in another database.
pub const COPIED: &str = "this database is a copy: its books were written in another one, and nothing is sent from it before adopt_database(note)";

/// What is said while the setting lets every account be observed.
pub const OBSERVED_BY_SETTING: &str = "the rules are only observed: sendgate.enforcement is observe, so what they would refuse is granted and counted";

/// A reason of the gate's closed list in words; a reason of a later version stays as it is.
pub fn explained(reason: &str) -> &str {
    match reason {
        "paused_by_operator" => {
            "an operator paused everything, or put it in quarantine, or this database is a copy"
        }
        "account_not_connected" => "the account is not connected",
        "breaker_forced_open" => "an operator stopped its InMails",
        "account_inmail_credits_exhausted" => "its InMail credits are exhausted",
        "account_cooldown" => "it cools down after a rate limit or an audit",
        "action_cooldown" => "this action cools down after failures or a limit of the provider's",
        "outside_sending_window" => "it is outside its sending window",
        "prospect_suppressed" => "nobody may write to this prospect",
        "operation_in_flight" => "an operation for this prospect is in flight",
        "prospect_cooldown" => "this prospect was written to a short while ago",
        "pacing" => "its last send was a moment ago, and its tier wants a gap",
        "weekly_cap_reached" => "its weekly cap is reached",
        "daily_cap_reached" => "its daily cap is reached",
        "daily_attempts_reached" => "too many of today's attempts failed",
        "campaign_limit_reached" => "the campaign has taken its part of the day",
        // Reasons why campaign work was given up; they are in the same lists.
        "inmail_eligibility" => "the recipient takes no InMails",
        "recipient_refused" => "the recipient refused",
        other => other,
    }
}

/// The SQL function that ends the refusal; none if only time or a send ends it.
pub fn ended_by(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "paused_by_operator" => "resume_all ends that, or adopt_database if this is a copy",
        "account_not_connected" => "set_status, when it is again",
        "breaker_forced_open" => "breaker_force with mode auto ends that",
        "account_inmail_credits_exhausted" => "breaker_probe tries one, breaker_clear if they are back",
        "account_cooldown" | "action_cooldown" => "clear_cooldown ends that",
        "prospect_suppressed" => "unsuppress_prospect ends that",
        "campaign_limit_reached" => "set_campaign raises its limit",
        _ => return None,
    })
}
