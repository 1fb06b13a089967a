//! The closed list of acts, and their words on the pages.

mod told;

use crate::console::links;

/// In an act's address: the link was on the list of unknown outcomes, and the act leads back there.
pub const FROM_UNKNOWN: &str = "unknown";

/// The acts of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The credits are back.
    Clear,
    /// One InMail may be tried.
    Probe,
    /// InMails are stopped, even if there are credits.
    ForceOpen,
    /// InMails follow the credits again.
    ForceAuto,
    /// The account may send again.
    Connect,
    /// The account is paused.
    Pause,
    /// A cooldown is over.
    Cooldown,
    /// An alert is acknowledged.
    Acknowledge,
    /// An unknown outcome: it was sent.
    Sent,
    /// An unknown outcome: it was not sent.
    NotSent,
    /// Everything is paused.
    PauseAll,
    /// Everything is resumed.
    ResumeAll,
    /// The account's own pace.
    Pace,
    /// The account's own caps of an action.
    Cap,
    /// No account may write to a prospect.
    Suppress,
    /// Accounts may write to a prospect again.
    Unsuppress,
    /// A campaign is paused.
    PauseCampaign,
    /// A campaign goes on.
    ResumeCampaign,
    /// What a campaign may take of each account's day.
    Limits,
    /// A campaign's waiting work goes on as another action.
    SwitchAction,
    /// A piece of campaign work waits again.
    Requeue,
    /// A campaign's parked work waits again.
    RequeueParked,
    /// Unknown outcomes of an account or a time: all were sent.
    AllSent,
    /// Unknown outcomes of an account or a time: none was sent.
    AllNotSent,
    /// Alerts of an account or a kind are acknowledged.
    AcknowledgeAll,
}

/// What an act is about, as its page calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// One account, or all.
    Account,
    /// A prospect.
    Prospect,
    /// A campaign.
    Campaign,
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 25] = [
        Kind::Clear,
        Kind::Probe,
        Kind::ForceOpen,
        Kind::ForceAuto,
        Kind::Connect,
        Kind::Pause,
        Kind::Cooldown,
        Kind::Acknowledge,
        Kind::Sent,
        Kind::NotSent,
        Kind::PauseAll,
        Kind::ResumeAll,
        Kind::Pace,
        Kind::Cap,
        Kind::Suppress,
        Kind::Unsuppress,
        Kind::PauseCampaign,
        Kind::ResumeCampaign,
        Kind::Limits,
        Kind::SwitchAction,
        Kind::Requeue,
        Kind::RequeueParked,
        Kind::AllSent,
        Kind::AllNotSent,
        Kind::AcknowledgeAll,
    ];

    /// Its name in addresses.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Clear => "clear",
            Kind::Probe => "probe",
            Kind::ForceOpen => "force-open",
            Kind::ForceAuto => "force-auto",
            Kind::Connect => "connect",
            Kind::Pause => "pause-account",
            Kind::Cooldown => "cooldown",
            Kind::Acknowledge => "acknowledge",
            Kind::Sent => "sent",
            Kind::NotSent => "not-sent",
            Kind::PauseAll => "pause",
            Kind::ResumeAll => "resume",
            Kind::Pace => "pace",
            Kind::Cap => "cap",
            Kind::Suppress => "suppress",
            Kind::Unsuppress => "unsuppress",
            Kind::PauseCampaign => "pause-campaign",
            Kind::ResumeCampaign => "resume-campaign",
            Kind::Limits => "limits",
            Kind::SwitchAction => "switch",
            Kind::Requeue => "requeue",
            Kind::RequeueParked => "requeue-parked",
            Kind::AllSent => "all-sent",
            Kind::AllNotSent => "all-not-sent",
            Kind::AcknowledgeAll => "acknowledge-all",
        }
    }

    /// The SQL function that does it.
    pub const fn function(self) -> &'static str {
        match self {
            Kind::Clear => "breaker_clear",
            Kind::Probe => "breaker_probe",
            Kind::ForceOpen | Kind::ForceAuto => "breaker_force",
            Kind::Connect | Kind::Pause => "set_status",
            Kind::Cooldown => "clear_cooldown",
            Kind::Acknowledge | Kind::AcknowledgeAll => "acknowledge_alert",
            Kind::Sent | Kind::NotSent => "resolve_operation",
            Kind::PauseAll => "pause_all",
            Kind::ResumeAll => "resume_all",
            Kind::Pace => "set_pace",
            Kind::Cap => "set_cap",
            Kind::Suppress => "suppress_prospect",
            Kind::Unsuppress => "unsuppress_prospect",
            Kind::PauseCampaign => "pause_campaign",
            Kind::ResumeCampaign => "resume_campaign",
            Kind::Limits => "set_campaign",
            Kind::SwitchAction => "switch_action",
            Kind::Requeue | Kind::RequeueParked => "requeue",
            Kind::AllSent | Kind::AllNotSent => "resolve_unresolved",
        }
    }

    /// The label of its button.
    pub const fn label(self) -> &'static str {
        match self {
            Kind::Clear => "Reset credit-exhausted state",
            Kind::Probe => "Grant a probe",
            Kind::ForceOpen => "Stop InMails",
            Kind::ForceAuto => "Back to automatic",
            Kind::Connect => "It may send again",
            Kind::Pause => "Pause this account",
            Kind::Cooldown => "End the cooldown",
            Kind::Acknowledge => "Acknowledge",
            Kind::Sent => "It was sent",
            Kind::NotSent => "It was not sent",
            Kind::PauseAll => "Pause everything",
            Kind::ResumeAll => "Resume everything",
            Kind::Pace => "Set its pace",
            Kind::Cap => "Set a cap",
            Kind::Suppress => "Do not contact",
            Kind::Unsuppress => "Allow contact again",
            Kind::PauseCampaign => "Pause this campaign",
            Kind::ResumeCampaign => "Resume this campaign",
            Kind::Limits => "Set its limits",
            Kind::SwitchAction => "Switch its action",
            Kind::Requeue => "Put it back",
            Kind::RequeueParked => "Put parked work back",
            Kind::AllSent => "All of these were sent",
            Kind::AllNotSent => "None of these was sent",
            Kind::AcknowledgeAll => "Acknowledge all of these",
        }
    }

    /// Whether the SQL function takes a note.
    pub const fn takes_note(self) -> bool {
        !matches!(
            self,
            Kind::ResumeAll
                | Kind::PauseCampaign
                | Kind::ResumeCampaign
                | Kind::SwitchAction
                | Kind::Requeue
                | Kind::RequeueParked
        )
    }

    /// Whether its subject is an alert or an operation, and not an account or everything.
    pub const fn takes_item(self) -> bool {
        matches!(self, Kind::Acknowledge | Kind::Sent | Kind::NotSent)
    }

    /// Whether its item may be an action of the account.
    pub const fn takes_action(self) -> bool {
        matches!(self, Kind::Cooldown | Kind::Cap | Kind::Requeue | Kind::AllSent | Kind::AllNotSent)
    }

    /// Whether it may settle more than one call does, and is done again while there is more.
    pub const fn is_on_many(self) -> bool {
        matches!(self, Kind::RequeueParked | Kind::AllSent | Kind::AllNotSent | Kind::AcknowledgeAll)
    }

    /// Whether it is done in every database: what it is about is in all of them, and half of it would be none.
    pub const fn is_everywhere(self) -> bool {
        matches!(
            self,
            Kind::Suppress | Kind::Unsuppress | Kind::PauseCampaign | Kind::ResumeCampaign | Kind::Limits
        )
    }

    /// Whether it may be about all databases at once: its subject is in several of them, and an account is in one. Then it
    /// is done in all, unless its address names one.
    pub const fn may_span(self) -> bool {
        self.is_everywhere()
            || self.is_on_many()
            || matches!(self, Kind::PauseAll | Kind::ResumeAll | Kind::SwitchAction)
    }

    /// What its id names.
    pub const fn subject(self) -> Subject {
        match self {
            Kind::Suppress | Kind::Unsuppress => Subject::Prospect,
            Kind::PauseCampaign
            | Kind::ResumeCampaign
            | Kind::Limits
            | Kind::SwitchAction
            | Kind::Requeue
            | Kind::RequeueParked => Subject::Campaign,
            _ => Subject::Account,
        }
    }

    /// The act that helps against a refusal, if one does.
    pub fn that_ends(reason: &str) -> Option<Kind> {
        Some(match reason {
            "paused_by_operator" => Kind::ResumeAll,
            "account_not_connected" => Kind::Connect,
            "breaker_forced_open" => Kind::ForceAuto,
            "account_inmail_credits_exhausted" => Kind::Probe,
            "account_cooldown" | "action_cooldown" => Kind::Cooldown,
            "daily_cap_reached" | "weekly_cap_reached" | "daily_attempts_reached" => Kind::Cap,
            "pacing" => Kind::Pace,
            _ => return None,
        })
    }

    /// The address of its page. `item` is an alert or an operation.
    pub fn link(self, account: &str, item: &str) -> String {
        self.link_from("", account, item)
    }

    /// The same, with the list to go back to.
    pub fn link_from(self, list: &str, account: &str, item: &str) -> String {
        links::query("/act", &[("do", self.name()), ("id", account), ("item", item), ("from", list)])
    }

    /// The address to go to once it is done.
    pub fn back(self, account: &str) -> String {
        match self {
            Kind::PauseAll | Kind::ResumeAll => "/".to_owned(),
            Kind::Acknowledge | Kind::AcknowledgeAll => "/alerts".to_owned(),
            Kind::AllSent | Kind::AllNotSent => "/unknown".to_owned(),
            _ => match self.subject() {
                Subject::Account => links::account(account),
                Subject::Prospect => links::prospect(account),
                Subject::Campaign => links::campaign(account),
            },
        }
    }
}
