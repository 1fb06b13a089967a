//! What `doctor` says of several databases beside each other: what ought to be the same and is not, each with the statement
//! that mends it, and accounts that are in two of them.

use std::collections::{BTreeMap, HashMap};

use futures_util::future::join_all;

use super::Findings;
use crate::db::Session;
use crate::db::compare::{FACTS_MAX, Fact};
use crate::error::Result;

/// Ids that are read of each database at a time.
const IDS_AT_A_TIME: i64 = 5_000;
/// How often: of each database so many times [`IDS_AT_A_TIME`] ids are looked at.
const TIMES_MAX: usize = 40;
/// Most findings of a kind that are told for each database.
const TOLD_MAX: usize = 10;

/// Looks at all of them; the first one is what the others are compared with.
pub(super) async fn look(sessions: &[(&str, &Session)], findings: &mut Findings) -> Result<()> {
    let facts = join_all(sessions.iter().map(async |(name, session)| Ok((*name, session.facts().await?))));
    let facts: Vec<Of<'_>> = facts.await.into_iter().collect::<Result<_>>()?;
    compare(&facts, findings);
    twice(sessions, findings).await
}

/// The facts of one database by kind.
type Of<'a> = (&'a str, Vec<Option<Vec<Fact>>>);

fn compare(all: &[Of<'_>], findings: &mut Findings) {
    let [(first, reference), others @ ..] = all else { return };
    let mut same = true;
    for (name, facts) in others {
        for (of_first, of_other) in reference.iter().zip(facts) {
            let (Some(of_first), Some(of_other)) = (of_first, of_other) else {
                same = false;
                findings.note(format!("something cannot be compared between {first} and {name}: their versions differ, or a grant is missing"));
                continue;
            };
            let found = differences((first, of_first), (name, of_other));
            same &= found.is_empty();
            for (what, todo) in found.iter().take(TOLD_MAX) {
                findings.bad(what, todo);
            }
            if let Some((what, _)) = found.get(TOLD_MAX) {
                let more = found.len() - TOLD_MAX;
                findings
                    .note(format!("… and {more} more of these between {first} and {name}, such as: {what}"));
            }
        }
    }
    let full = |facts: &&Vec<Fact>| facts.len() as i64 >= FACTS_MAX;
    if let Some(kind) = all.iter().flat_map(|(_, facts)| facts.iter().flatten()).find(full) {
        let kind = &kind[0].kind;
        findings.note(format!(
            "there are many of the kind {kind}: only the first {FACTS_MAX} by name were compared"
        ));
    }
    if same {
        findings.good(
            "versions, caps, error rules, switches, campaigns' limits, suppressions and settings are the same everywhere",
        );
    }
}

/// What differs between the facts of one kind: in a sentence, and what to do.
fn differences((first, a): (&str, &[Fact]), (other, b): (&str, &[Fact])) -> Vec<(String, String)> {
    // Beyond the end of a list that was cut off nothing is known.
    let end = |facts: &[Fact]| {
        let is_cut = facts.len() as i64 >= FACTS_MAX;
        facts.last().filter(|_| is_cut).map(|fact| fact.key.clone())
    };
    let horizon = [end(a), end(b)].into_iter().flatten().min();
    let mut by_key: BTreeMap<&str, [Option<&Fact>; 2]> = BTreeMap::new();
    for (n, facts) in [a, b].into_iter().enumerate() {
        for fact in facts {
            by_key.entry(&fact.key).or_default()[n] = Some(fact);
        }
    }
    let known =
        by_key.into_iter().take_while(|(key, _)| horizon.as_ref().is_none_or(|last| *key <= last.as_str()));
    let differ = known.filter_map(|(key, pair)| {
        let (what, todo) = match pair {
            [Some(a), Some(b)] if a.value == b.value => return None,
            [Some(a), Some(b)] => (
                format!("{} {key}: {first} has {}, {other} has {}", a.kind, a.value, b.value),
                format!("in {other}: {}; or in {first}: {}", a.mend, b.mend),
            ),
            [Some(a), None] => {
                let undo = or(first, a.undo.as_deref());
                (
                    format!("{} {key}: {first} has {}, {other} does not", a.kind, a.value),
                    format!("in {other}: {}{undo}", a.mend),
                )
            }
            [None, Some(b)] => {
                let undo = or(other, b.undo.as_deref());
                (
                    format!("{} {key}: {other} has {}, {first} does not", b.kind, b.value),
                    format!("in {first}: {}{undo}", b.mend),
                )
            }
            [None, None] => return None,
        };
        Some((what, todo))
    });
    differ.collect()
}

fn or(database: &str, undo: Option<&str>) -> String {
    undo.map_or_else(String::new, |undo| format!("; or in {database}: {undo}"))
}

/// Accounts that are in two databases: their caps exist twice.
async fn twice(sessions: &[(&str, &Session)], findings: &mut Findings) -> Result<()> {
    let mut walk = Walk::default();
    for _ in 0..TIMES_MAX {
        let from = walk.looked_to.clone().unwrap_or_default();
        let ids = sessions.iter().map(async |(_, session)| session.account_ids(&from, IDS_AT_A_TIME).await);
        let ids: Vec<Vec<String>> = join_all(ids).await.into_iter().collect::<Result<_>>()?;
        if walk.goes_on(ids, IDS_AT_A_TIME as usize) {
            break;
        }
    }
    let names: Vec<&str> = sessions.iter().map(|(name, _)| *name).collect();
    for (id, places) in walk.twice.iter().take(TOLD_MAX) {
        let of: Vec<&str> = places.iter().map(|place| names[*place]).collect();
        findings.bad(
            format!("account {id} is in the databases {}: its caps exist twice, and both may send", of.join(", ")),
            format!(
                "find out through which one the application sends; in the other, SELECT sendgate.remove_account('{}', '…') \
                 until it returns 0",
                id.replace('\'', "''")
            ),
        );
    }
    if walk.twice.len() > TOLD_MAX {
        findings
            .note(format!("… and {} more accounts that are in two databases", walk.twice.len() - TOLD_MAX));
    }
    match (&walk.is_whole, walk.twice.is_empty(), &walk.looked_to) {
        (true, true, _) => findings.good("no account is in two databases"),
        (true, false, _) | (false, _, None) => (),
        (false, _, Some(id)) => findings.note(format!(
            "only accounts up to the id {id} were looked at; whether later ones are in two databases is not known"
        )),
    }
    Ok(())
}

/// How far the ids of all databases were compared.
#[derive(Debug, Default)]
struct Walk {
    looked_to: Option<String>,
    is_whole: bool,
    /// Ids that were met in several databases, with the databases' places.
    twice: Vec<(String, Vec<usize>)>,
}

impl Walk {
    /// Takes the next ids of each database, at most so many of each; answers whether that was all.
    fn goes_on(&mut self, ids: Vec<Vec<String>>, at_most: usize) -> bool {
        // A database with more ids says nothing about those behind its last one yet.
        let ends = ids.iter().filter(|ids| ids.len() >= at_most).filter_map(|ids| ids.last());
        let horizon = ends.min().cloned();
        let mut met: HashMap<&str, Vec<usize>> = HashMap::new();
        for (place, ids) in ids.iter().enumerate() {
            for id in ids.iter().filter(|id| horizon.as_ref().is_none_or(|last| *id <= last)) {
                met.entry(id).or_default().push(place);
            }
        }
        let mut twice: Vec<(String, Vec<usize>)> = met
            .into_iter()
            .filter(|(_, places)| places.len() > 1)
            .map(|(id, places)| (id.to_owned(), places))
            .collect();
        twice.sort();
        self.twice.append(&mut twice);
        self.is_whole = horizon.is_none();
        self.looked_to = horizon.or(self.looked_to.take());
        self.is_whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(key: &str, value: &str) -> Fact {
        Fact {
            kind: "cap".to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
            mend: format!("set {key} {value}"),
            undo: Some(format!("drop {key}")),
        }
    }

    #[test]
    fn each_difference_comes_with_what_mends_it_either_way() {
        let (a, b) = (
            [fact("k", "1"), fact("l", "2"), fact("m", "3")],
            [fact("k", "1"), fact("l", "9"), fact("n", "4")],
        );
        let found = differences(("eu", &a), ("us", &b));
        let expected = [
            ("cap l: eu has 2, us has 9", "in us: set l 2; or in eu: set l 9"),
            ("cap m: eu has 3, us does not", "in us: set m 3; or in eu: drop m"),
            ("cap n: us has 4, eu does not", "in eu: set n 4; or in us: drop n"),
        ];
        assert_eq!(found, expected.map(|(what, todo)| (what.to_owned(), todo.to_owned())));
        assert!(differences(("eu", &a), ("us", &a)).is_empty());
    }

    #[test]
    fn nothing_is_said_of_what_was_not_read() {
        let many: Vec<Fact> = (0..FACTS_MAX).map(|n| fact(&format!("k{n:05}"), "1")).collect();
        let more = [many.clone(), vec![fact("z", "1")]].concat();
        assert!(differences(("eu", &many), ("us", &more)).is_empty());
        assert_eq!(differences(("eu", &many), ("us", &many[1..])).len(), 1);
    }

    #[test]
    fn accounts_of_two_databases_are_met_however_their_pages_lie() {
        let all = [vec!["a", "b", "c", "x"], vec!["c", "d", "e", "f", "x"], vec!["y"]];
        let mut walk = Walk::default();
        let mut rounds = 0;
        loop {
            rounds += 1;
            let from = walk.looked_to.clone().unwrap_or_default();
            let page = |ids: &Vec<&str>| -> Vec<String> {
                ids.iter().filter(|id| **id > from.as_str()).take(2).map(|id| (*id).to_owned()).collect()
            };
            let ids = all.iter().map(page).collect();
            if walk.goes_on(ids, 2) {
                break;
            }
            assert!(rounds < 10, "it ends: {walk:?}");
        }
        assert_eq!(walk.twice, [("c".to_owned(), vec![0, 1]), ("x".to_owned(), vec![0, 1])]);
        assert!(walk.is_whole);
    }
}
