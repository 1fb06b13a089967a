//! The closed lists of the contract and their spelling in SQL. Each list is written once, here.

/// Gives a closed list its SQL names, a parser and the list for an error message.
macro_rules! closed_list {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vmeta])* $variant),+ }

        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The value's spelling in SQL.
            pub const fn name(self) -> &'static str {
                match self { $($name::$variant => $text),+ }
            }

            /// The value with this exact spelling.
            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)+ _ => None }
            }

            /// All spellings, separated by commas, for an error message.
            pub fn allowed() -> String {
                $name::ALL.iter().map(|v| v.name()).collect::<Vec<_>>().join(", ")
            }
        }
    };
}

closed_list! {
    /// What a worker wants to do through an account. Only `inmail` consumes credits.
    Action {
        /// A message to a prospect who is not a connection; costs a credit.
        Inmail => "inmail",
        /// A connection request.
        Invite => "invite",
        /// A message to a connection.
        Message => "message",
        /// Looking at a profile.
        ProfileView => "profile_view",
        /// A like, comment or follow.
        Engagement => "engagement",
    }
}

/// How many actions there are: the length of every per-action array.
pub const ACTIONS: usize = Action::ALL.len();

impl Action {
    /// Position in per-action arrays.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The event type that a proven delivery of this action gets.
    pub const fn event_type(self) -> &'static str {
        match self {
            Action::Inmail => "inmail_sent",
            Action::Invite => "invite_sent",
            Action::Message => "message_sent",
            Action::ProfileView => "profile_view_sent",
            Action::Engagement => "engagement_sent",
        }
    }
}

closed_list! {
    /// Whether an account may be used at all.
    Status {
        /// Usable.
        Connected => "connected",
        /// Stopped by an operator.
        Paused => "paused",
        /// Restricted by the provider.
        Restricted => "restricted",
        /// The provider no longer accepts the credentials.
        Disconnected => "disconnected",
    }
}

closed_list! {
    /// How the breaker of an account is run.
    BreakerMode {
        /// By its stamp.
        Auto => "auto",
        /// Held open by an operator: no InMail, no probe.
        Open => "open",
        /// Held closed by an operator: it stamps, but is not consulted.
        Closed => "closed",
    }
}

/// An operation's id: a UUID as its 16 bytes.
pub type OperationId = [u8; 16];

closed_list! {
    /// State of an operation in the journal. *Expired* is a reading, not a state.
    OperationState {
        /// In flight: the slot is taken, the outcome not known yet.
        Reserved => "reserved",
        /// Delivered; the slot is used up.
        Delivered => "delivered",
        /// Given back; the slot is free again.
        Released => "released",
        /// The outcome is unknown; the slot stays taken until the operation is settled.
        Indeterminate => "indeterminate",
    }
}

impl OperationState {
    /// Whether the operation's outcome is still open.
    pub fn is_unresolved(self) -> bool {
        matches!(self, OperationState::Reserved | OperationState::Indeterminate)
    }
}

closed_list! {
    /// Where an operation came from.
    Origin {
        /// Through `reserve`.
        Gate => "gate",
        /// Sent by hand or by another system, recorded afterwards.
        External => "external",
    }
}

closed_list! {
    /// State of a piece of campaign work: account, campaign, prospect and action.
    EnrollmentState {
        /// To be dispatched when it is due.
        Waiting => "waiting",
        /// Handed to a worker; its operation is in flight.
        Sending => "sending",
        /// Delivered, or refused for good by the recipient's side.
        Done => "done",
        /// Wants a person: an unknown outcome, too many attempts, or a row that cannot be sent.
        Parked => "parked",
        /// Taken back by the application.
        Cancelled => "cancelled",
    }
}

closed_list! {
    /// What an attempt came to, as the classifier reads the provider's answer.
    Outcome {
        /// Never sent; the slot is given back.
        Released => "released",
        /// The account has no InMail credits left.
        CreditsExhausted => "credits_exhausted",
        /// This recipient cannot be reached; others can.
        RecipientRefused => "recipient_refused",
        /// This recipient cannot be reached for a while.
        RecipientLater => "recipient_later",
        /// Refused for what is neither the recipient's nor the account's state: a person has to look.
        Rejected => "rejected",
        /// A passing failure before anything was sent.
        Transient => "transient",
        /// The provider asks to slow down.
        RateLimited => "rate_limited",
        /// The account's plan or seat does not include the action.
        ActionUnavailable => "action_unavailable",
        /// The provider restricted the account.
        AccountRestricted => "account_restricted",
        /// The provider no longer accepts the account's credentials.
        AuthLost => "auth_lost",
        /// It is unknown whether it was sent; the slot stays taken.
        Indeterminate => "indeterminate",
        /// An operator found out that it was not sent; the slot is given back. No rule has this outcome.
        NotSent => "not_sent",
    }
}

impl Outcome {
    /// Whether an error rule may have this outcome: all but an operator's verdict, and `released`, which says that
    /// the provider was never called: its attempt is given back, so a rule that says so of an answer would let a
    /// worker call without end.
    pub const fn is_for_rules(self) -> bool {
        !matches!(self, Outcome::NotSent | Outcome::Released)
    }

    /// Whether a rule with this outcome may say what cools down, the account or the action.
    pub const fn takes_scope(self) -> bool {
        matches!(self, Outcome::RateLimited)
    }

    /// Whether a rule with this outcome may say for how long.
    pub const fn takes_wait(self) -> bool {
        matches!(self, Outcome::RateLimited | Outcome::RecipientLater | Outcome::ActionUnavailable)
    }
}

closed_list! {
    /// Whether refusals are refusals, or only counted.
    Enforcement {
        /// The first rule that holds refuses.
        Enforce => "enforce",
        /// What an observed rule would refuse is granted; the other rules refuse whatever stands before them.
        Observe => "observe",
    }
}

closed_list! {
    /// What a rate limit stops.
    Scope {
        /// Every action of the account.
        Account => "account",
        /// The attempt's action alone.
        Action => "action",
    }
}

closed_list! {
    /// Why an account or one of its actions cools down, as `cooldown_log` spells it.
    CooldownCause {
        /// The provider asked to slow down.
        RateLimited => "rate_limited",
        /// Too many failures in a row.
        Failing => "failing",
        /// The account's plan or seat does not include the action.
        ActionUnavailable => "action_unavailable",
        /// The audit found the counter far above the cap.
        OverCap => "over_cap",
        /// An operator.
        Manual => "manual",
    }
}

closed_list! {
    /// Why `reserve` refuses, in the order in which the rules are asked.
    Reason {
        /// `pause_all` is on.
        PausedByOperator => "paused_by_operator",
        /// The account's status is not `connected`.
        AccountNotConnected => "account_not_connected",
        /// An operator holds the InMail breaker open.
        BreakerForcedOpen => "breaker_forced_open",
        /// The account has no InMail credits until its next period.
        CreditsExhausted => "account_inmail_credits_exhausted",
        /// The account is cooling down.
        AccountCooldown => "account_cooldown",
        /// The action is cooling down on this account; others are not.
        ActionCooldown => "action_cooldown",
        /// It is outside the account's sending window.
        OutsideSendingWindow => "outside_sending_window",
        /// The prospect is suppressed: no account may write to it.
        ProspectSuppressed => "prospect_suppressed",
        /// An operation for this prospect and action is unresolved.
        OperationInFlight => "operation_in_flight",
        /// This prospect was sent the same action too recently.
        ProspectCooldown => "prospect_cooldown",
        /// It is too soon after the last grant.
        Pacing => "pacing",
        /// The cap of seven days is used up.
        WeeklyCapReached => "weekly_cap_reached",
        /// The effective daily cap is used up.
        DailyCapReached => "daily_cap_reached",
        /// The action was tried too often today, whatever came of it.
        DailyAttemptsReached => "daily_attempts_reached",
        /// The campaign has taken its part of the account's day.
        CampaignLimitReached => "campaign_limit_reached",
        /// A replay of an operation that is settled or past its time.
        OperationResolved => "operation_resolved",
    }
}

impl Reason {
    /// Whether an observing account only counts this refusal and grants all the same. The others refuse
    /// there too, whatever stands before them: they say that an operator, a person's wish or an open
    /// outcome forbids the send, which no limits of one's own know of.
    pub const fn is_observed(self) -> bool {
        !matches!(
            self,
            Reason::PausedByOperator
                | Reason::AccountNotConnected
                | Reason::BreakerForcedOpen
                | Reason::ProspectSuppressed
                | Reason::OperationInFlight
                | Reason::OperationResolved
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_parses_to_itself() {
        assert!(Action::ALL.iter().all(|v| Action::parse(v.name()) == Some(*v)));
        assert!(Reason::ALL.iter().all(|v| Reason::parse(v.name()) == Some(*v)));
        assert!(Outcome::ALL.iter().all(|v| Outcome::parse(v.name()) == Some(*v)));
        assert_eq!(Action::parse("InMail"), None);
        assert_eq!(BreakerMode::allowed(), "auto, open, closed");
    }

    #[test]
    fn actions_index_their_arrays() {
        for (i, action) in Action::ALL.iter().enumerate() {
            assert_eq!(action.index(), i);
            assert_eq!(action.event_type(), format!("{}_sent", action.name()));
        }
    }
}
