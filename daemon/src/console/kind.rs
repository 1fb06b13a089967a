//! The closed list of acts, and their words on the pages.

use crate::console::links;
use crate::db::Untrusted;

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
}

impl Kind {
    /// All of them.
    pub const ALL: [Kind; 12] = [
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
            Kind::Acknowledge => "acknowledge_alert",
            Kind::Sent | Kind::NotSent => "resolve_operation",
            Kind::PauseAll => "pause_all",
            Kind::ResumeAll => "resume_all",
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
        }
    }

    /// The sentences that say what will happen.
    pub const fn consequences(self) -> &'static [&'static str] {
        match self {
            Kind::Clear => &[
                "The account counts as having credits again, and its InMails go on, within its caps.",
                "InMails that were deferred for want of credits become due.",
                "If the provider says once more that there are no credits, InMails stop again.",
            ],
            Kind::Probe => &[
                "The next InMail of this account that every other rule lets pass may be sent; one, and no more.",
                "If campaign work was deferred, one piece of it becomes due for this.",
                "Delivered, it resets the credit-exhausted state, and InMails go on. Without credits nothing changes.",
                "If nobody sends within the operation's time, the permit lapses.",
            ],
            Kind::ForceOpen => &[
                "No InMail of this account is sent, whatever its credits, and no probe either.",
                "It holds over the end of the credit period, until an operator sets it back to automatic.",
                "Everything else that the account sends goes on.",
            ],
            Kind::ForceAuto => &[
                "InMails of this account go by its credits again: they stop when the provider says that there are none.",
            ],
            Kind::Connect => &[
                "The account counts as connected, and sends again within its other rules.",
                "If the provider says once more that it is restricted or signed out, it stops again.",
            ],
            Kind::Pause => &[
                "Nothing more is sent through this account, whatever it is, until an operator lets it send again.",
                "What workers have in hand may still be sent, and is settled as ever.",
            ],
            Kind::Cooldown => &[
                "The cooldown ends now, and failures in a row are counted from 0 again.",
                "If the provider still asks to slow down, or still refuses, it begins anew.",
            ],
            Kind::Acknowledge => &[
                "Your name and note are kept with the alert.",
                "An alert that tells of an event is closed by that. Any other closes by itself, when its cause is gone.",
            ],
            Kind::Sent => &[
                "The operation counts as delivered, and its slot stays taken.",
                "Its campaign work is done, and nothing is sent to this prospect again.",
                "An InMail without a chat id gets no event: nothing proves it.",
            ],
            Kind::NotSent => &[
                "The operation's slot is free again.",
                "The prospect can be tried again, and campaign work is, after a while. Be sure that nothing left.",
            ],
            Kind::PauseAll => &[
                "No account gets another slot for anything, until an operator resumes.",
                "What workers have in hand may still be sent, and is settled as ever.",
            ],
            Kind::ResumeAll => &["Accounts may send again, each within its own rules."],
        }
    }

    /// Whether the SQL function takes a note.
    pub const fn takes_note(self) -> bool {
        !matches!(self, Kind::ResumeAll)
    }

    /// Whether its subject is an alert or an operation, and not an account or everything.
    pub const fn takes_item(self) -> bool {
        matches!(self, Kind::Acknowledge | Kind::Sent | Kind::NotSent)
    }

    /// Whether its item may be an action of the account.
    pub const fn takes_action(self) -> bool {
        matches!(self, Kind::Cooldown)
    }

    /// The act that helps against a refusal, if one does.
    pub fn that_ends(reason: &str) -> Option<Kind> {
        Some(match reason {
            "paused_by_operator" => Kind::ResumeAll,
            "account_not_connected" => Kind::Connect,
            "breaker_forced_open" => Kind::ForceAuto,
            "account_inmail_credits_exhausted" => Kind::Probe,
            "account_cooldown" | "action_cooldown" => Kind::Cooldown,
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
            Kind::Acknowledge => "/alerts".to_owned(),
            _ => links::account(account),
        }
    }

    /// The sentence that the next page shows.
    pub fn done(self, account: &str) -> String {
        let account = Untrusted::from(account.to_owned());
        match self {
            Kind::Clear => format!("The credit-exhausted state of {account} is reset."),
            Kind::Probe => format!("A probe is granted: the next InMail of {account} may try."),
            Kind::ForceOpen => format!("InMails of {account} are stopped."),
            Kind::ForceAuto => format!("InMails of {account} go by its credits again."),
            Kind::Connect => format!("{account} may send again."),
            Kind::Pause => format!("{account} is paused."),
            Kind::Cooldown => format!("The cooldown of {account} is over."),
            Kind::Acknowledge => "The alert is acknowledged.".to_owned(),
            Kind::Sent => "The operation is settled: it was sent.".to_owned(),
            Kind::NotSent => "The operation is settled: it was not sent.".to_owned(),
            Kind::PauseAll => "Everything is paused.".to_owned(),
            Kind::ResumeAll => "Everything goes on.".to_owned(),
        }
    }
}
