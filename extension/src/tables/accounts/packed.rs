//! Two columns of the account row that hold many small values: what the six days before the row's day sent,
//! and failures in a row with the cooldowns of single actions.
//!
//! Separate columns would be fifty, nearly all of them 0 or NULL, and each grant would read them. Days are
//! numbers of 7 bits a byte (LEB128), so a usual account needs 30 bytes. Failures are JSON that
//! a DBA can read, and NULL for an account without any.

use crate::postgres::function::show_instant;
use sendgate_decision::account::{Account, DAYS_BEFORE, SentBefore};
use sendgate_decision::clock::Instant;
use sendgate_decision::failures::{Failing, Failures};
use sendgate_decision::literal;
use sendgate_decision::names::{ACTIONS, Action};
use serde_json::{Map, Value, json};

/// The days before, action by action, the day before the row's own first.
pub fn pack_days(before: &SentBefore) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(ACTIONS * DAYS_BEFORE);
    for &sent in before.iter().flatten() {
        let mut rest = sent.max(0) as u32;
        while rest > 0x7f {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

/// The days that were packed; none for bytes that [`pack_days`] does not write.
pub fn unpack_days(bytes: &[u8]) -> Option<SentBefore> {
    let mut before = SentBefore::default();
    let mut bytes = bytes.iter();
    for sent in before.iter_mut().flatten() {
        let (mut number, mut shift) = (0u32, 0u32);
        loop {
            let byte = *bytes.next()?;
            number |= u32::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        *sent = i32::try_from(number).ok()?;
    }
    bytes.next().is_none().then_some(before)
}

/// Failures in a row and cooldowns of the actions that have any; none where no action has.
pub fn pack_failures(account: &Account) -> Option<String> {
    let mut actions = Map::new();
    for &action in Action::ALL {
        let i = action.index();
        let (failures, cooldown) = (&account.failures[i], account.action_cooldown_until[i]);
        if *failures == Failures::default() && cooldown.is_none() {
            continue;
        }
        let mut entry = Map::new();
        if failures.count > 0 {
            entry.insert("count".into(), json!(failures.count));
        }
        if failures.level > 0 {
            entry.insert("level".into(), json!(failures.level));
        }
        if let Some(failing) = failures.failing {
            entry.insert("failing_since".into(), json!(show_instant(failing.since)));
            entry.insert("failing_until".into(), json!(show_instant(failing.until)));
        }
        if let Some(until) = cooldown {
            entry.insert("cooldown_until".into(), json!(show_instant(until)));
        }
        actions.insert(action.name().into(), Value::Object(entry));
    }
    (!actions.is_empty()).then(|| Value::Object(actions).to_string())
}

/// What [`pack_failures`] wrote; none for anything else.
pub fn unpack_failures(packed: &Value) -> Option<([Failures; ACTIONS], [Option<Instant>; ACTIONS])> {
    let mut failures = [Failures::default(); ACTIONS];
    let mut cooldowns = [None; ACTIONS];
    for (name, entry) in packed.as_object()? {
        let i = Action::parse(name)?.index();
        let entry = entry.as_object()?;
        let number = |key: &str| entry.get(key).map_or(Some(0), Value::as_i64);
        let instant = |key: &str| match entry.get(key) {
            Some(text) => literal::instant(text.as_str()?).map(Some),
            None => Some(None),
        };
        let failing = match (instant("failing_since")?, instant("failing_until")?) {
            (Some(since), Some(until)) => Some(Failing { since, until }),
            (None, None) => None,
            _ => return None,
        };
        failures[i] = Failures {
            count: i32::try_from(number("count")?).ok().filter(|&count| count >= 0)?,
            level: u8::try_from(number("level")?).ok()?,
            failing,
        };
        cooldowns[i] = instant("cooldown_until")?;
    }
    Some((failures, cooldowns))
}
