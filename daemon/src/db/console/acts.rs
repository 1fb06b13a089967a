//! What a signed-in operator does: the operators' functions, under that person's name.

use tokio_postgres::types::{ToSql, Type};

use crate::db::Session;
use crate::error::Result;

/// Names the operator for this statement alone and then calls the function. One statement is one
/// transaction: the name can neither be missing nor stay behind for somebody else's act. $1 is the name.
/// Whoever holds the account is waited for only a moment, because all pages wait with it; the act is
/// tried again in between.
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
const PAUSE: &str = on_behalf!("sendgate.pause_all($2)");
const RESUME: &str = on_behalf!("sendgate.resume_all()");

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act<'a> {
    /// Credits are back.
    Clear(&'a str),
    /// One InMail may try.
    Probe(&'a str),
    /// The breaker is held open (`open`), or goes by its stamp again (`auto`).
    Force(&'a str, &'a str),
    /// Somebody has seen this alert.
    Acknowledge(&'a str),
    /// An unknown outcome is known.
    Resolve {
        /// Whose account.
        account: &'a str,
        /// The operation.
        operation: &'a str,
        /// Whether it was sent.
        sent: bool,
        /// The proof of that, where there is one.
        chat_id: Option<&'a str>,
    },
    /// Nothing is sent any more.
    PauseAll,
    /// It is again.
    ResumeAll,
}

impl Session {
    /// Does it, on behalf of that operator.
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
            Act::PauseAll => ("pausing everything", PAUSE, vec![who, text(&note)]),
            Act::ResumeAll => ("resuming everything", RESUME, vec![who]),
        };
        self.rows(what, sql, &parameters).await.map(|_| ())
    }
}
