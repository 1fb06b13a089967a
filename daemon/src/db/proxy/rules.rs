//! Where a proxy runs each function: one line for each function of the API. A function without a line stops the
//! command, so that a new one is never forgotten.

use Rule::{Account, AccountOrAll, All, AllTrue, Any, Dispatch, Refused, Rows, Split, Sum, WhereKnown};

/// Where a function runs, and what becomes of the partitions' answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// On the partition of the account that this argument names.
    Account(&'static str),
    /// The same; without an account, or with `*`, on every partition. A row for each.
    AccountOrAll(&'static str),
    /// On every partition, whatever another one answers. A row for each.
    All,
    /// On every partition, and the numbers that they answer are added up; with the argument that names an
    /// account, on the partition of that account alone.
    Sum(Option<&'static str>),
    /// On every partition; true if it is true on one.
    AllTrue,
    /// On every partition at once; all their rows.
    Rows,
    /// On every partition; those that answer with this SQLSTATE do not know what is meant, or not any more when the call is
    /// repeated, and one has to.
    WhereKnown(&'static str),
    /// Each element on the partition of its account; the answers come in the order of the elements.
    Split {
        /// The arrays that may not be NULL; the first of them that names accounts decides.
        required: usize,
        /// The array of accounts.
        accounts: &'static str,
        /// The elements that stand for each array that may be NULL as a whole, in order.
        fill: &'static [&'static str],
    },
    /// On the partition of the account; without one, on that of the request's id; without both, on any.
    Dispatch,
    /// On any partition: all answer the same.
    Any,
    /// Not through a proxy: the reason, and what to do instead.
    Refused(&'static str, &'static str),
}

const JOBS: (&str, &str) =
    ("The jobs and the outboxes belong to a database of their own.", "Run sendgated for every partition.");
const TRIGGERS: (&str, &str) = (
    "A trigger guards a table in the database of its accounts, and a proxy has none.",
    "Call reserve, confirm and rollback, or keep the table on the partitions.",
);
const ONE_PARTITION: (&str, &str) =
    ("It is about one database and not about an account.", "Connect to that partition and call it there.");

/// Every function that a role of sendgate may call, by name.
pub const RULES: &[(&str, Rule)] = &[
    // The gate.
    ("reserve", Account("account_id")),
    ("preview", Account("account_id")),
    ("confirm", Account("account_id")),
    ("rollback", Account("account_id")),
    ("confirm_many", Split { required: 2, accounts: "account_ids", fill: &["NULL"] }),
    (
        "rollback_many",
        Split { required: 2, accounts: "account_ids", fill: &["NULL", "NULL", "NULL", "NULL"] },
    ),
    ("record_external_send", Account("account_id")),
    ("breaker_check", Account("account_id")),
    ("breaker_report", Account("account_id")),
    ("record_credit_balance", Account("account_id")),
    ("forget_credit_balance", Account("account_id")),
    ("clock", Any),
    ("guard_send", Refused(TRIGGERS.0, TRIGGERS.1)),
    ("settle_send", Refused(TRIGGERS.0, TRIGGERS.1)),
    // Campaign work.
    ("enqueue", Account("account_id")),
    (
        "enqueue_many",
        Split { required: 4, accounts: "account_ids", fill: &["NULL", "false", "1", "NULL", "0"] },
    ),
    ("dispatch", Dispatch),
    ("cancel", Sum(Some("account_id"))),
    ("cancel_prospect", Sum(None)),
    ("requeue", Account("account_id")),
    ("resume_deferred", Account("account_id")),
    ("set_campaign", All),
    ("pause_campaign", All),
    ("resume_campaign", All),
    ("switch_action", Sum(None)),
    ("suppress_prospect", All),
    ("unsuppress_prospect", All),
    // Accounts.
    ("upsert_account", Account("account_id")),
    ("set_window", Account("account_id")),
    ("set_status", Account("account_id")),
    ("set_cap", Account("account_id")),
    ("set_pace", Account("account_id")),
    ("set_enforcement", Account("account_id")),
    ("repair_day", Account("account_id")),
    ("clear_cooldown", AccountOrAll("account_id")),
    ("breaker_clear", Account("account_id")),
    ("breaker_arm", Account("account_id")),
    ("breaker_probe", Account("account_id")),
    ("breaker_force", Account("account_id")),
    ("resolve_operation", Account("account_id")),
    ("resolve_unresolved", Sum(Some("account_id"))),
    ("remove_account", Account("account_id")),
    ("forget_prospect", Sum(None)),
    ("why", Account("account_id")),
    // What holds everywhere.
    ("pause_all", All),
    ("quarantine", All),
    ("resume_all", All),
    ("set_tier_cap", All),
    ("drop_tier_cap", WhereKnown("SG103")),
    ("set_error_rule", All),
    ("drop_error_rule", WhereKnown("SG104")),
    ("acknowledge_alert", WhereKnown("SG105")),
    ("copied_database", AllTrue),
    ("activity_counts", Rows),
    ("refusal_counts", Rows),
    ("adopt_database", Refused(ONE_PARTITION.0, ONE_PARTITION.1)),
    ("judge_trigger", Refused(ONE_PARTITION.0, ONE_PARTITION.1)),
    // The pure functions that the views call.
    ("enforcement_of", Any),
    ("sent_as_of", Any),
    ("sent_in_seven_days_as_of", Any),
    ("sent_before_days", Any),
    ("effective_cap", Any),
    ("breaker_state", Any),
    ("next_credit_period", Any),
    ("window_days_array", Any),
    ("window_since", Any),
    ("outside_window", Any),
    ("credit_forecast", Any),
    // The jobs.
    ("audit_events", Refused(JOBS.0, JOBS.1)),
    ("reconcile_operations", Refused(JOBS.0, JOBS.1)),
    ("midnight_reset", Refused(JOBS.0, JOBS.1)),
    ("prune", Refused(JOBS.0, JOBS.1)),
    ("begin_run", Refused(JOBS.0, JOBS.1)),
    ("record_run_failure", Refused(JOBS.0, JOBS.1)),
    ("take_breaker_lines", Refused(JOBS.0, JOBS.1)),
    ("register_webhook", Refused(JOBS.0, JOBS.1)),
    ("take_notifications", Refused(JOBS.0, JOBS.1)),
    ("settle_notification", Refused(JOBS.0, JOBS.1)),
    ("tick", Refused(JOBS.0, JOBS.1)),
];

/// Relations that say something about one database only, or belong to its jobs.
pub const OF_ONE_PARTITION: &[&str] =
    &["home_database", "guard_triggers", "webhooks", "webhook_outbox", "breaker_outbox"];

/// Functions that log who called. The others that do name the proxy's login: they are on the hot path.
pub const NAMES_ITS_ACTOR: &[&str] = &["record_credit_balance", "requeue"];

/// Functions that allow an operator more than a sender.
pub const LOOKS_AT_ITS_CALLER: &[&str] = &["requeue"];

impl Rule {
    /// The argument by which the partition is chosen.
    pub fn argument(self) -> Option<&'static str> {
        match self {
            Account(argument) | AccountOrAll(argument) | Sum(Some(argument)) => Some(argument),
            Split { accounts, .. } => Some(accounts),
            Dispatch => Some("request_id"),
            _ => None,
        }
    }
}

/// The rule of a function; none if it is new.
pub fn of(name: &str) -> Option<Rule> {
    RULES.iter().find(|(function, _)| *function == name).map(|(_, rule)| *rule)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function of the install script that a role may call has a rule, and every rule a function.
    #[test]
    fn every_function_has_its_rule() {
        let granted = granted();
        let without: Vec<_> = granted.iter().filter(|name| of(name).is_none()).collect();
        assert!(without.is_empty(), "write a line of RULES for {without:?}");
        let gone: Vec<_> =
            RULES.iter().filter(|(name, _)| !granted.iter().any(|found| found == name)).collect();
        assert!(gone.is_empty(), "no role may call {gone:?}");
    }

    #[test]
    fn no_function_has_two_rules() {
        for (n, (name, _)) in RULES.iter().enumerate() {
            assert!(!RULES[..n].iter().any(|(other, _)| other == name), "{name}");
        }
    }

    /// The functions that the install script grants to a role.
    fn granted() -> Vec<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sql/90_privileges.sql");
        let script = std::fs::read_to_string(path).expect("the privileges");
        let code: String =
            script.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        let mut names = Vec::new();
        for statement in
            code.split(';').filter(|statement| statement.trim_start().starts_with("GRANT EXECUTE"))
        {
            for part in statement.split("sendgate.").skip(1) {
                if let Some((name, _)) = part.split_once('(') {
                    names.push(name.to_owned());
                }
            }
        }
        assert!(names.len() > 50, "the script is read: {names:?}");
        names
    }
}
