//! The operators' functions, called on behalf of a signed-in operator.

use tokio_postgres::types::{ToSql, Type};

use crate::db::Session;
use crate::error::Result;

/// Names the operator for this statement alone and then calls the function. One statement is one transaction,
/// so the name is neither missing nor left for another operator's act. $1 is the name. The lock of a held
/// account is awaited only for a moment, because all pages share this connection; the act is tried again
/// afterwards.
macro_rules! on_behalf {
    ($call:literal) => {
        concat!(
            "WITH named AS MATERIALIZED (
    SELECT set_config('sendgate.actor', $1, true), set_config('lock_timeout', '200ms', true)
)
SELECT ",
            $call,
            " FROM named"
        )
    };
}

const CLEAR: &str = on_behalf!("sendgate.breaker_clear($2, $3)");
const PROBE: &str = on_behalf!("sendgate.breaker_probe($2, $3)");
const FORCE: &str = on_behalf!("sendgate.breaker_force($2, $4, $3)");
const ACKNOWLEDGE: &str = on_behalf!("sendgate.acknowledge_alert($2::uuid, $3)");
const RESOLVE: &str = on_behalf!("sendgate.resolve_operation($2, $4::uuid, $5, $6, $3)");
const STATUS: &str = on_behalf!("sendgate.set_status($2, $4, $3)");
const COOLDOWN: &str = on_behalf!("sendgate.clear_cooldown($2, $3, $4)");
const PAUSE: &str = on_behalf!("sendgate.pause_all($2)");
const RESUME: &str = on_behalf!("sendgate.resume_all()");

/// One act and its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// The credits are back: clears the stamp.
    Clear(&'a str),
    /// Grants a probe: one InMail.
    Probe(&'a str),
    /// Forces the breaker `open`, or sets it back to `auto`.
    Force(&'a str, &'a str),
    /// Acknowledges an alert.
    Acknowledge(&'a str),
    /// Settles an unknown outcome.
    Resolve {
        /// The account.
        account: &'a str,
        /// The operation.
        operation: &'a str,
        /// Whether it was sent.
        sent: bool,
        /// The chat id that proves it, if it is known.
        chat_id: Option<&'a str>,
    },
    /// Sets the status `connected` or `paused`.
    Status(&'a str, &'a str),
    /// Ends the cooldowns of one action, or of the account and all its actions.
    Cooldown(&'a str, Option<&'a str>),
    /// Pauses everything.
    PauseAll,
    /// Resumes everything.
    ResumeAll,
}

impl Session {
    /// Does it on behalf of `actor`.
    ///
    /// # Errors
    ///
    /// The function's own; SQLSTATE 55P03 if the account is held.
    pub async fn act(&self, actor: &str, act: Act<'_>, note: &str) -> Result<()> {
        type Parameters<'a> = Vec<(&'a (dyn ToSql + Sync), Type)>;
        let who: (&(dyn ToSql + Sync), Type) = (&actor, Type::TEXT);
        let text = |value| -> (&(dyn ToSql + Sync), Type) { (value, Type::TEXT) };
        let (what, sql, parameters): (&'static str, &str, Parameters<'_>) = match &act {
            Act::Clear(account) => ("clearing the breaker", CLEAR, vec![who, text(account), text(&note)]),
            Act::Probe(account) => ("granting a probe", PROBE, vec![who, text(account), text(&note)]),
            Act::Force(account, mode) => {
                ("forcing the breaker", FORCE, vec![who, text(account), text(&note), text(mode)])
            }
            Act::Acknowledge(alert) => {
                ("acknowledging the alert", ACKNOWLEDGE, vec![who, text(alert), text(&note)])
            }
            Act::Resolve { account, operation, sent, chat_id } => (
                "settling the operation",
                RESOLVE,
                vec![
                    who,
                    text(account),
                    text(&note),
                    text(operation),
                    (sent, Type::BOOL),
                    (chat_id, Type::TEXT),
                ],
            ),
            Act::Status(account, status) => {
                ("setting the status", STATUS, vec![who, text(account), text(&note), text(status)])
            }
            Act::Cooldown(account, action) => (
                "clearing the cooldown",
                COOLDOWN,
                vec![who, text(account), text(&note), (action, Type::TEXT)],
            ),
            Act::PauseAll => ("pausing everything", PAUSE, vec![who, text(&note)]),
            Act::ResumeAll => ("resuming everything", RESUME, vec![who]),
        };
        self.rows(what, sql, &parameters).await.map(|_| ())
    }
}
