//! Why an account does or does not send, as `sendgate.why` puts it together; and the account that a person means.

use serde::{Deserialize, Serialize};
use tokio_postgres::types::Type;

use super::account::Others;
use super::cooldowns::said;
use super::parts::{id_holds, name_holds};
use super::{Session, Timestamp, Untrusted};
use crate::error::Result;

/// A line for each action, in their order.
const WHY: &str = "SELECT to_jsonb(w) FROM sendgate.why($1) AS w";

/// Accounts whose id or name holds a text, in any case; one of exactly that id first. Reads each account once.
const NAMED: &str = concat!(
    "SELECT a.id::text, a.display_name FROM sendgate.linkedin_accounts AS a
WHERE a.id = $1 OR ",
    id_holds!("a.id", "$1"),
    " OR ",
    name_holds!("a.display_name", "$1"),
    "
ORDER BY a.id <> $1, a.id LIMIT $2"
);

/// What holds an action of an account back, or lets it go.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
pub struct Why {
    /// The action.
    pub action: String,
    /// Whether it can send now.
    pub proceed: bool,
    /// The first rule that refuses, from the closed list in docs/reference.md; with a yes, one that is only
    /// observed.
    pub reason: Option<String>,
    /// Since when it is so.
    pub since: Option<Timestamp>,
    /// When it lets go by itself; none if only an event ends it.
    pub until: Option<Timestamp>,
    /// The person or login that made it so.
    pub actor: Option<Untrusted>,
    /// Their words.
    pub note: Option<Untrusted>,
    /// The HTTP status of the provider's answer that made it so.
    pub http_status: Option<i32>,
    /// Its type.
    pub error_type: Option<Untrusted>,
    /// Its text.
    pub error: Option<Untrusted>,
    /// The operation that it answered.
    pub operation_id: Option<String>,
    /// What can be done, and with which function.
    pub advice: Option<String>,
    /// Columns of a later version.
    #[serde(flatten)]
    pub others: Others,
}

impl Why {
    /// What the provider said, in one line; none if it said nothing.
    pub fn words(&self) -> Option<Untrusted> {
        said(self.http_status, self.error_type.as_ref(), self.error.as_ref())
    }

    /// Whether another action has the same answer for the same cause.
    fn is_same(&self, other: &Why) -> bool {
        let cause = |why: &Why| Why { action: String::new(), advice: None, ..why.clone() };
        cause(self) == cause(other) && (self.proceed || self.advice == other.advice)
    }
}

/// Actions with the same answer for the same cause.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// The actions, in their order.
    pub actions: Vec<String>,
    /// The answer.
    pub why: Why,
}

/// The answers, each once with its actions; refusals first.
pub fn causes(lines: &[Why]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for line in lines {
        match causes.iter_mut().find(|cause| cause.why.is_same(line)) {
            Some(cause) => cause.actions.push(line.action.clone()),
            None => causes.push(Cause { actions: vec![line.action.clone()], why: line.clone() }),
        }
    }
    causes.sort_by_key(|cause| cause.why.proceed);
    causes
}

/// An account that a text may mean.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name, if it has one.
    pub name: Option<Untrusted>,
}

impl Session {
    /// Why the account does or does not send: a line for each action.
    ///
    /// # Errors
    ///
    /// SQLSTATE SG101 if there is no such account.
    pub async fn account_why(&self, account: &str) -> Result<Vec<Why>> {
        self.objects("asking why", WHY, &[(&account, Type::TEXT)]).await
    }

    /// At most `rows_max` accounts whose id or name holds the text; one of exactly that id first.
    pub async fn accounts_named(&self, text: &str, rows_max: i64) -> Result<Vec<Named>> {
        let parameters = [(&text as _, Type::TEXT), (&rows_max as _, Type::INT8)];
        let rows = self.rows("looking for the account", NAMED, &parameters).await?;
        Ok(rows.iter().map(|row| Named { id: row.get(0), name: row.get(1) }).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn line(action: &str, proceed: bool, reason: Option<&str>, advice: &str) -> Why {
        from_value(json!({ "action": action, "proceed": proceed, "reason": reason, "advice": advice,
            "http_status": 429, "error": "slow down" }))
        .expect("a line")
    }

    #[test]
    fn each_cause_is_told_once_and_refusals_come_first() {
        let lines = [
            line("inmail", true, None, "50 are left"),
            line("invite", false, Some("daily_cap_reached"), "2 of 2"),
            line("message", true, None, "80 are left"),
            line("profile_view", false, Some("daily_cap_reached"), "3 of 3"),
            line("engagement", false, Some("daily_cap_reached"), "3 of 3"),
        ];
        let told: Vec<String> = causes(&lines).iter().map(|cause| cause.actions.join("+")).collect();
        assert_eq!(told, ["invite", "profile_view+engagement", "inmail+message"]);
    }

    #[test]
    fn the_providers_words_are_one_line() {
        let said = line("inmail", false, None, "").words().expect("words");
        assert_eq!(said.raw(), "429 slow down");
        let silent = Why { http_status: None, error: None, ..line("inmail", false, None, "") };
        assert_eq!(silent.words().map(|words| words.raw().to_owned()), None);
    }
}
