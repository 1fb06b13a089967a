//! `set_error_rule` and `drop_error_rule`: the users' part of the classifier.

use crate::postgres::commit;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{
    Answer, Args, TEXT_CHARACTERS_MAX, VOID, shown, sql_function, unknown_value,
};
use crate::postgres::param::{Span, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::admin_log;
use sendgate_decision::classify::{StatusPattern, WAIT_DAYS_MAX};
use sendgate_decision::clock::SECOND;
use sendgate_decision::names::{Outcome, Scope};
use serde_json::Value;

sql_function!(sendgate_set_error_rule, pg_finfo_sendgate_set_error_rule, set_error_rule);
sql_function!(sendgate_drop_error_rule, pg_finfo_sendgate_drop_error_rule, drop_error_rule);

/// The last place for users' rules; shipped ones start after it.
const RULE_ORDER_MAX: i32 = 999;

static WRITE: Statement = Statement::new(
    "INSERT INTO sendgate.error_rule_overrides (rule_order, outcome, action, error_type, http_status, error_text,
         scope, wait)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
     ON CONFLICT (rule_order) DO UPDATE
     SET outcome = EXCLUDED.outcome, action = EXCLUDED.action, error_type = EXCLUDED.error_type,
         http_status = EXCLUDED.http_status, error_text = EXCLUDED.error_text,
         scope = EXCLUDED.scope, wait = EXCLUDED.wait",
    types![int4, text, text, text, text, text, text, span],
);

static DROP: Statement = Statement::new(
    "DELETE FROM sendgate.error_rule_overrides r WHERE r.rule_order OPERATOR(pg_catalog.=) $1",
    types![int4],
);

static SHOW: Statement = Statement::new(
    "SELECT pg_catalog.to_jsonb(r.*)::pg_catalog.text FROM sendgate.error_rule_overrides r
     WHERE r.rule_order OPERATOR(pg_catalog.=) $1",
    types![int4],
);

fn set_error_rule(args: &Args) -> Answer {
    let order = args.number(0, "rule_order", 0, RULE_ORDER_MAX)?;
    let text: &str = args.required(1, "outcome")?;
    let outcome = Outcome::parse(text).filter(|outcome| outcome.is_for_rules());
    let outcome = outcome.ok_or_else(|| unknown_value("outcome", text, &outcomes()))?;
    let action = if args.optional::<&str>(2).is_some() { Some(args.action(2)?) } else { None };
    let error_type = args.optional_text(3, "error_type", TEXT_CHARACTERS_MAX)?;
    let http_status: Option<&str> = args.optional(4);
    let error_text = args.optional_text(5, "error_text", TEXT_CHARACTERS_MAX)?;
    let (scope, wait) = (scope(args, outcome)?, wait(args, outcome)?);
    check_status(http_status)?;
    if error_type.is_none() && http_status.is_none() && error_text.is_none() {
        return Err(Error::new(
            Code::EmptyRule,
            format!("rule {order} has no condition"),
            "It would match every error, and what is unknown must stay indeterminate.",
            "Pass error_type, http_status or error_text.",
        ));
    }
    Spi::connect(|spi| {
        commit::synchronously();
        let before = show(spi, order);
        let action = action.map(|action| action.name());
        let (scope, wait) = (scope.map(Scope::name), wait.map(Span));
        let values = params![order, outcome.name(), action, error_type, http_status, error_text, scope, wait];
        spi.run_waiting(&WRITE, values)?.must_be(1, "error_rule_overrides");
        let change = (before, show(spi, order));
        admin_log::write(spi, "set_error_rule", None, Some(&order.to_string()), change, None);
        Ok(())
    })?;
    VOID
}

/// The outcomes that a rule may have, for an error message.
fn outcomes() -> String {
    let names: Vec<&str> =
        Outcome::ALL.iter().filter(|outcome| outcome.is_for_rules()).map(|outcome| outcome.name()).collect();
    names.join(", ")
}

/// What a rate limit stops; only `rate_limited` may say so.
fn scope(args: &Args, outcome: Outcome) -> Result<Option<Scope>> {
    let Some(text) = args.optional::<&str>(6) else { return Ok(None) };
    let scope = Scope::parse(text).ok_or_else(|| unknown_value("scope", text, &Scope::allowed()))?;
    if outcome.takes_scope() {
        return Ok(Some(scope));
    }
    Err(ignored("scope", text, outcome, "rate_limited"))
}

/// For how long; only outcomes that let something wait may say so.
fn wait(args: &Args, outcome: Outcome) -> Result<Option<i64>> {
    let Some(wait) = args.optional_interval(7, "wait", WAIT_DAYS_MAX)? else { return Ok(None) };
    if outcome.takes_wait() {
        return Ok(Some(wait));
    }
    let shown = format!("{} seconds", wait / SECOND);
    Err(ignored("wait", &shown, outcome, "rate_limited, recipient_later and action_unavailable"))
}

fn ignored(name: &str, value: &str, outcome: Outcome, takers: &str) -> Error {
    Error::new(
        Code::EmptyRule,
        format!("{name} has no meaning for {}: {}", outcome.name(), shown(value)),
        format!("A {name} is for {takers}."),
        format!("Leave {name} out, or choose another outcome."),
    )
}

fn check_status(http_status: Option<&str>) -> Result<()> {
    match http_status {
        Some(text) if StatusPattern::parse(text).is_none() => Err(Error::new(
            Code::InvalidStatusPattern,
            format!("http_status is no status pattern: \"{}\"", shown(text)),
            "A pattern is one status from 100 to 599, or a class from 1xx to 5xx; ' or none' behind it means a missing one, too.",
            "Write '429', '4xx' or '422 or none'.",
        )),
        _ => Ok(()),
    }
}

fn drop_error_rule(args: &Args) -> Answer {
    let order = args.number(0, "rule_order", 0, RULE_ORDER_MAX)?;
    Spi::connect(|spi| {
        commit::synchronously();
        let before = show(spi, order);
        if spi.run_waiting(&DROP, params![order])?.count() == 0 {
            return Err(Error::new(
                Code::UnknownRule,
                format!("there is no users' rule {order}"),
                "Shipped rules start at 1000 and cannot be dropped; a users' rule before them overrules them.",
                "sendgate.error_rules lists all rules in the order in which they are asked.",
            ));
        }
        admin_log::write(spi, "drop_error_rule", None, Some(&order.to_string()), (before, Value::Null), None);
        Ok(())
    })?;
    VOID
}

fn show(spi: &Spi, order: i32) -> Value {
    let text: Option<String> = spi.run(&SHOW, params![order]).first().and_then(|mut row| row.nullable());
    text.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null)
}
