//! The gate's answers in words. What to do about them is said where it can be done: the console names
//! its buttons, the terminal the functions.

/// A reason of the gate's closed list in words; one that a later version adds, as it is.
pub fn explained(reason: &str) -> &str {
    match reason {
        "paused_by_operator" => "an operator paused everything, or put it in quarantine",
        "account_not_connected" => "the account is not connected",
        "breaker_forced_open" => "an operator stopped its InMails",
        "account_inmail_credits_exhausted" => "its InMail credits are exhausted",
        "account_cooldown" => "it cools down after a rate limit or an audit",
        "outside_sending_window" => "it is outside its sending window",
        "operation_in_flight" => "an operation for this prospect is in flight",
        "prospect_cooldown" => "this prospect was written to a short while ago",
        "pacing" => "its last send was a moment ago, and its tier wants a gap",
        "weekly_cap_reached" => "its weekly cap is reached",
        "daily_cap_reached" => "its daily cap is reached",
        // Why campaign work was given up, in the same lists.
        "inmail_eligibility" => "the recipient takes no InMails",
        "recipient_refused" => "the recipient refused",
        other => other,
    }
}

/// The function that ends it, for who has psql beside the terminal; none where time or a send does.
pub fn ended_by(reason: &str) -> Option<&'static str> {
    Some(match reason {
        "paused_by_operator" => "resume_all ends that",
        "account_not_connected" => "set_status, when it is again",
        "breaker_forced_open" => "breaker_force with mode auto ends that",
        "account_inmail_credits_exhausted" => "breaker_probe tries one, breaker_clear if they are back",
        "account_cooldown" => "clear_cooldown ends that",
        _ => return None,
    })
}
