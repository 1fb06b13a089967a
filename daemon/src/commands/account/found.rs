//! The account that a text means, and the databases that it is in.

use futures_util::future::join_all;

use super::shown;
use crate::db::Session;
use crate::db::served::Reached;
use crate::db::why::Named;
use crate::error::{Error, Result};
use crate::terminal::stripped;

/// Most accounts that are named where a text means several.
const NAMED_MAX: usize = 10;

/// An account and where it is.
#[derive(Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// The databases that have it, by their place among those that were asked; never empty.
    pub places: Vec<usize>,
    /// The names of databases that could not be asked.
    pub not_asked: Vec<String>,
}

/// What one database says to the text.
#[derive(Debug, Default)]
struct Answer {
    is_known: bool,
    named: Vec<Named>,
}

/// The account: one of exactly that id, wherever it is, or the only one that has the text in its id or name.
///
/// # Errors
///
/// [`Error::Usage`] if it means none, or several, which it then names. With one database its errors.
pub async fn find(reached: &[Reached], text: &str) -> Result<Found> {
    let asked = join_all(reached.iter().map(async |one| match &one.session {
        Ok(session) => answer(session, text).await.map(Some),
        Err(_) => Ok(None),
    }));
    let mut answers = Vec::with_capacity(reached.len());
    for (one, answer) in reached.iter().zip(asked.await) {
        match answer {
            Err(error) if one.label.is_none() => return Err(error),
            answer => answers.push(answer.ok().flatten()),
        }
    }
    meant(reached.iter().map(|one| &*one.name).collect(), answers, text)
}

async fn answer(session: &Session, text: &str) -> Result<Answer> {
    if session.is_known(text).await? {
        return Ok(Answer { is_known: true, named: Vec::new() });
    }
    let named = session.accounts_named(text, NAMED_MAX as i64 + 1).await?;
    Ok(Answer { is_known: false, named })
}

/// The account that the answers mean; none is the answer of a database that could not be asked.
fn meant(names: Vec<&str>, answers: Vec<Option<Answer>>, text: &str) -> Result<Found> {
    let without = names.iter().zip(&answers).filter(|(_, answer)| answer.is_none());
    let not_asked: Vec<String> = without.map(|(name, _)| (*name).to_owned()).collect();
    let places = |is: &dyn Fn(&Answer) -> bool| -> Vec<usize> {
        let has = |(n, answer): (usize, &Option<Answer>)| answer.as_ref().is_some_and(is).then_some(n);
        answers.iter().enumerate().filter_map(has).collect()
    };
    let exact = places(&|answer| answer.is_known);
    if !exact.is_empty() {
        return Ok(Found { id: text.to_owned(), places: exact, not_asked });
    }
    let mut ids: Vec<&str> =
        answers.iter().flatten().flat_map(|answer| &answer.named).map(|named| named.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    match ids.as_slice() {
        [] => Err(no_account(text, &not_asked)),
        [id] => {
            let places = places(&|answer| answer.named.iter().any(|named| named.id == *id));
            Ok(Found { id: (*id).to_owned(), places, not_asked })
        }
        _ => Err(Error::Usage(several_of(&names, &answers, text))),
    }
}

/// The error of a text that means no account of the databases that were asked.
pub fn no_account(text: &str, not_asked: &[String]) -> Error {
    let without = match not_asked {
        [] => String::new(),
        names => format!("; not asked, because they cannot be reached: {}", stripped(&names.join(", "))),
    };
    Error::Usage(format!("there is no account {}; sendgated status lists them{without}", stripped(text)))
}

fn several_of(names: &[&str], answers: &[Option<Answer>], text: &str) -> String {
    let are_several = names.len() > 1;
    let mut named: Vec<(&Named, &str)> = Vec::new();
    for (database, answer) in names.iter().zip(answers) {
        named.extend(answer.iter().flat_map(|answer| &answer.named).map(|named| (named, *database)));
    }
    named.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    let mut out = format!("several accounts have {} in their id or name:", stripped(text));
    for (account, database) in named.iter().take(NAMED_MAX) {
        let name = account.name.as_ref().map_or_else(String::new, |name| format!(" ({})", shown(name)));
        let of = if are_several { format!(", database {}", stripped(database)) } else { String::new() };
        out += &format!("\n  {}{name}{of}", stripped(&account.id));
    }
    if named.len() > NAMED_MAX {
        out += "\n  …";
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(ids: &[&str]) -> Option<Answer> {
        let named = ids.iter().map(|id| Named { id: (*id).to_owned(), name: None }).collect();
        Some(Answer { is_known: false, named })
    }

    fn known() -> Option<Answer> {
        Some(Answer { is_known: true, named: Vec::new() })
    }

    #[test]
    fn an_account_is_found_wherever_it_is() {
        let find = |answers| meant(vec!["eu", "us"], answers, "a");
        let found = |places: &[usize], not_asked: &[&str]| Found {
            id: "a".to_owned(),
            places: places.to_vec(),
            not_asked: not_asked.iter().map(|name| (*name).to_owned()).collect(),
        };
        // The id itself wins over a part of another database's ids.
        assert_eq!(find(vec![named(&["ab", "ac"]), known()]).ok(), Some(found(&[1], &[])));
        assert_eq!(find(vec![known(), known()]).ok(), Some(found(&[0, 1], &[])));
        assert_eq!(find(vec![known(), None]).ok(), Some(found(&[0], &["us"])));
        let both = find(vec![named(&["xay"]), named(&["xay"])]).expect("one id");
        assert_eq!((both.id.as_str(), both.places.as_slice()), ("xay", [0, 1].as_slice()));
        let text = find(vec![named(&["ba"]), named(&["aa"])]).expect_err("two").to_string();
        assert!(text.ends_with("\n  aa, database us\n  ba, database eu"), "{text}");
        let text = find(vec![None, named(&[])]).expect_err("none").to_string();
        assert!(
            text.contains("there is no account a; ") && text.ends_with("cannot be reached: eu"),
            "{text}"
        );
        let text = meant(vec!["x"], vec![named(&["ba", "aa"])], "a").expect_err("two").to_string();
        assert!(!text.contains("database"), "{text}");
    }
}
