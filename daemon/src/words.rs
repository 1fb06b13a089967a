//! The gate's answers in words, for the terminal and the console alike.

/// A reason of the gate's closed list in words; one that a later version adds, as it is.
pub fn explained(reason: &str) -> &str {
    match reason {
        "paused_by_operator" => {
            "an operator paused everything, or put it in quarantine (resume_all ends that)"
        }
        "account_not_connected" => "the account is not connected (set_status, when it is again)",
        "breaker_forced_open" => "an operator stopped its InMails (breaker_force with mode auto ends that)",
        "account_inmail_credits_exhausted" => {
            "its InMail credits are exhausted (breaker_probe tries one, breaker_clear if they are back)"
        }
        "account_cooldown" => "it cools down after a rate limit or an audit (clear_cooldown ends that)",
        "outside_sending_window" => "it is outside its sending window",
        "operation_in_flight" => "an operation for this prospect is in flight",
        "prospect_cooldown" => "this prospect was written to a short while ago",
        "pacing" => "its last send was a moment ago (the tier's minimum gap)",
        "weekly_cap_reached" => "its weekly cap is reached",
        "daily_cap_reached" => "its daily cap is reached",
        other => other,
    }
}
