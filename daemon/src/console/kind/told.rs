//! The words of the acts: before, what will happen; afterwards, that it happened.

use super::Kind;
use crate::db::Untrusted;

impl Kind {
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
                "If no InMail is sent within the operation's time, the permit lapses.",
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
            Kind::Pace => &[
                "The account's own pace is replaced by this one, all of it. With no gap and no spreading it has none.",
                "The gap of its tier, which is for each action, holds beside it.",
            ],
            Kind::Cap => &[
                "Both caps of this action on this account are replaced. An empty field means the cap of its tier.",
                "Slots that are taken already stay taken: a lower cap lets nothing more go today.",
            ],
            Kind::Suppress => &[
                "No account writes to this prospect any more, whatever the action: workers get a no.",
                "Without an end, campaign work for the prospect is cancelled where it is met. With one, it waits until then.",
                "What a worker has in hand may still be sent.",
            ],
            Kind::Unsuppress => &[
                "Accounts may write to this prospect again.",
                "Work that waited for it is due now. Work that was cancelled stays so; put it back one by one.",
            ],
            Kind::PauseCampaign => &[
                "No more of this campaign's work is handed out, until it is resumed.",
                "What workers have is settled as ever. Applications that reserve by themselves are not held back.",
            ],
            Kind::ResumeCampaign => &["Its work goes on. What fell due meanwhile is due now."],
            Kind::Limits => &[
                "The campaign may take so many slots of each account's UTC day. All limits are replaced; an empty field means none.",
                "What it took today already counts.",
            ],
            Kind::SwitchAction => &[
                "Its waiting work goes on as the other action, with attempts from 0. Work in other states stays.",
                "To messages only prospects that are connections move; and work that is there already under the other action stays.",
            ],
            Kind::Requeue => &[
                "This piece of work waits again, due now, with attempts from 0.",
                "If it was done, the prospect may get the message once more.",
            ],
            Kind::RequeueParked => &[
                "Parked work waits again, due now, with attempts from 0.",
                "Work whose outcome is unknown stays parked: settle that first.",
            ],
            Kind::AllSent => &[
                "Each of these operations counts as delivered, and its slot stays taken.",
                "Their campaign work is done. InMails get no event: nothing proves them.",
            ],
            Kind::AllNotSent => &[
                "The slots of these operations are free again.",
                "Their prospects can be tried again, and campaign work is, after a while. Be sure that nothing left.",
            ],
            Kind::AcknowledgeAll => &[
                "Your name and note are kept with each of them.",
                "Alerts that tell of an event are closed by that. Others close by themselves, when their cause is gone.",
            ],
        }
    }

    /// The sentence that the next page shows. `count` is how many an act on many settled, moved or told.
    pub fn done(self, subject: &str, count: i64) -> String {
        let subject = Untrusted::from(subject.to_owned());
        match self {
            Kind::Clear => format!("The credit-exhausted state of {subject} is reset."),
            Kind::Probe => format!("A probe is granted: the next InMail of {subject} may try."),
            Kind::ForceOpen => format!("InMails of {subject} are stopped."),
            Kind::ForceAuto => format!("InMails of {subject} go by its credits again."),
            Kind::Connect => format!("{subject} may send again."),
            Kind::Pause => format!("{subject} is paused."),
            Kind::Cooldown => format!("The cooldown of {subject} is over."),
            Kind::Acknowledge => "The alert is acknowledged.".to_owned(),
            Kind::Sent => "The operation is settled: it was sent.".to_owned(),
            Kind::NotSent => "The operation is settled: it was not sent.".to_owned(),
            Kind::PauseAll => "Everything is paused.".to_owned(),
            Kind::ResumeAll => "Everything goes on.".to_owned(),
            Kind::Pace => format!("The pace of {subject} is set."),
            Kind::Cap => format!("The caps of {subject} are set."),
            Kind::Suppress => format!("No account writes to {subject} any more."),
            Kind::Unsuppress => format!("Accounts may write to {subject} again."),
            Kind::PauseCampaign => format!("The campaign {subject} is paused."),
            Kind::ResumeCampaign => format!("The campaign {subject} goes on."),
            Kind::Limits => format!("The limits of {subject} are set."),
            Kind::SwitchAction => format!("Moved to the other action: {}.", pieces(count)),
            Kind::Requeue if count == 0 => {
                "Nothing was put back: it waits already, or its prospect is suppressed.".to_owned()
            }
            Kind::Requeue => "The work waits again.".to_owned(),
            Kind::RequeueParked => format!("Put back: {}.", pieces(count)),
            Kind::AllSent => format!("{} settled as sent.", operations(count)),
            Kind::AllNotSent => format!("{} settled as not sent.", operations(count)),
            Kind::AcknowledgeAll if count == 1 => "1 alert is acknowledged.".to_owned(),
            Kind::AcknowledgeAll => format!("{count} alerts are acknowledged."),
        }
    }
}

fn pieces(count: i64) -> String {
    if count == 1 { "1 piece of work".to_owned() } else { format!("{count} pieces of work") }
}

fn operations(count: i64) -> String {
    if count == 1 { "1 operation is".to_owned() } else { format!("{count} operations are") }
}
