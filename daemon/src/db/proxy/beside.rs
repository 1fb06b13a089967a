//! Partitions beside each other: in what their APIs differ, and accounts that are not where calls for them go.

use super::catalog::Api;
use crate::db::Session;
use crate::error::Result;

/// The first object in which two APIs differ.
pub fn differs(one: &Api, other: &Api) -> Option<String> {
    let function = one
        .functions
        .iter()
        .chain(&other.functions)
        .find(|found| !one.functions.contains(found) || !other.functions.contains(found))
        .map(|found| format!("the function {}({}) or its grants", found.name, found.identity));
    let relation = || {
        one.relations
            .iter()
            .chain(&other.relations)
            .find(|found| !one.relations.contains(found) || !other.relations.contains(found))
            .map(|found| format!("the view {} or its grants", found.name))
    };
    function.or_else(relation).or_else(|| (one.types != other.types).then(|| "a type".to_owned()))
}

/// An account that is not where calls for it go.
#[derive(Debug)]
pub struct Misplaced {
    /// The account.
    pub account: String,
    /// The partition that it is on.
    pub on: usize,
    /// The partition where calls for it go.
    pub belongs_on: usize,
    /// Whether it is on that one, too: then its cap exists twice.
    pub is_there_too: bool,
}

impl Misplaced {
    /// In a sentence, with these names of the partitions.
    pub fn told(&self, called: &[&str]) -> String {
        let (on, right) = (called[self.on], called[self.belongs_on]);
        if self.is_there_too {
            format!(
                "account {:?} is on {on} and on {right}: its cap exists twice; remove it from the first",
                self.account
            )
        } else {
            format!(
                "account {:?} is on {on}, and calls for it go to {right}: they would not find it",
                self.account
            )
        }
    }
}

/// Accounts that are not where the hash of their id sends calls, up to ten of each partition. One that is on two partitions
/// is at the wrong place on one of them.
pub async fn misplaced(partitions: &[&Session]) -> Result<Vec<Misplaced>> {
    let mut found = Vec::new();
    let count = i32::try_from(partitions.len()).unwrap_or(i32::MAX);
    for (n, session) in (0_i32..).zip(partitions) {
        for (account, place) in session.misplaced(count, n).await? {
            let Some((belongs_on, right)) =
                usize::try_from(place).ok().and_then(|place| Some((place, partitions.get(place)?)))
            else {
                continue;
            };
            let is_there_too = !right.present(std::slice::from_ref(&account)).await?.is_empty();
            found.push(Misplaced { account, on: n as usize, belongs_on, is_there_too });
        }
    }
    Ok(found)
}
