//! The column `turns`: whose turn it is between campaigns that share the account.
//!
//! JSON that a DBA can read, by action and priority: `{"message": {"0": "spring"}}`. NULL for an account whose work
//! no two campaigns share.

use pgrx::JsonB;
use sendgate_decision::names::{ACTIONS, Action};
use sendgate_decision::turns::Turns;
use serde_json::{Map, Value};

/// The turns of an account, by action.
pub type AllTurns = [Turns; ACTIONS];

/// What the column holds; none where nothing is remembered.
pub fn pack(turns: &AllTurns) -> Option<String> {
    let mut actions = Map::new();
    for &action in Action::ALL {
        let levels: Map<String, Value> = turns[action.index()]
            .iter()
            .map(|(priority, campaign)| (priority.to_string(), Value::String(campaign.to_owned())))
            .collect();
        if !levels.is_empty() {
            actions.insert(action.name().to_owned(), Value::Object(levels));
        }
    }
    (!actions.is_empty()).then(|| Value::Object(actions).to_string())
}

/// What [`pack`] wrote. Anything else is as if nothing were remembered: the first campaign goes first.
pub fn unpack(packed: Option<JsonB>) -> AllTurns {
    let mut turns = AllTurns::default();
    for (name, levels) in packed.iter().filter_map(|packed| packed.0.as_object()).flatten() {
        if let (Some(action), Some(levels)) = (Action::parse(name), levels.as_object()) {
            turns[action.index()] = Turns::of(levels.iter().filter_map(|(priority, campaign)| {
                Some((priority.parse().ok()?, campaign.as_str()?.to_owned()))
            }));
        }
    }
    turns
}
