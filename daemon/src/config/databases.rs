//! The databases that are served: one, or several, which the command line, the environment or the file names.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::target::Target;
use crate::error::{Error, Result};
use crate::terminal::stripped;

/// Most databases of one daemon: each has up to four connections and its own tasks.
pub const DATABASES_MAX: usize = 64;
/// Longest name, in characters.
const NAME_CHARACTERS_MAX: usize = 64;
/// How a URL begins. Only URLs stand one a line in the environment: a key=value string may have line ends itself.
const SCHEMES: [&str; 2] = ["postgres://", "postgresql://"];
/// The key of the file that names one database.
const KEY: &str = "database_url";

/// A database that is served.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its name in logs, metrics, commands and pages: its own, or one that the file gives it.
    pub name: Arc<str>,
    /// How to reach it.
    pub target: Arc<Target>,
    /// Time between two rounds, in which it is asked for every job.
    pub poll: Duration,
    /// Whether it is one of several. Where it is the only one, nothing names it.
    pub is_one_of_several: bool,
}

impl Database {
    /// Its name where several are served; none if it is the only one.
    pub fn label(&self) -> Option<&Arc<str>> {
        self.is_one_of_several.then_some(&self.name)
    }
}

/// A `[[database]]` entry as it stands in the file. Everything is optional here, so that our own errors say what is
/// missing.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    name: Option<String>,
    url: Option<String>,
    password_file: Option<PathBuf>,
    poll: Option<f64>,
}

/// The file's `[[database]]` entries; none if it has no such key.
pub type Entries = Option<Vec<Entry>>;

/// Where databases are named.
#[derive(Debug, Default)]
pub struct Named<'a> {
    /// The values of the flag or of the environment.
    pub given: &'a [String],
    /// The file's `database_url`.
    pub url: Option<String>,
    /// The file's `[[database]]` entries; none if it has no such key.
    pub entries: Entries,
    /// The password file of all.
    pub password_file: Option<&'a Path>,
}

/// What is said of one database, before it is read.
struct Raw {
    /// How errors call it, without its URL.
    called: String,
    name: Option<String>,
    url: String,
    password_file: Option<PathBuf>,
    poll: Option<f64>,
}

/// Reads and checks the databases. `poll` is the time between two rounds where the entry names none, and `seconds` turns
/// an entry's own number into one.
///
/// # Errors
///
/// [`Error::Usage`] that says which database, which value, and what to write instead. It quotes no URL.
pub fn read(
    named: Named<'_>,
    poll: Duration,
    seconds: impl Fn(f64) -> Result<Duration>,
) -> Result<Vec<Database>> {
    let password_file = named.password_file.map(Path::to_path_buf);
    let all = raw(named)?;
    if all.len() > DATABASES_MAX {
        return Err(Error::Usage(format!(
            "there are {} databases; one daemon serves at most {DATABASES_MAX}. Run another one for the rest",
            all.len()
        )));
    }
    let mut databases = Vec::with_capacity(all.len());
    let is_one_of_several = all.len() > 1;
    for entry in all {
        let own = entry.password_file.as_ref().or(password_file.as_ref());
        let target = Target::read(&entry.url, own.map(PathBuf::as_path)).map_err(|error| match error {
            Error::Usage(text) if is_one_of_several => Error::Usage(format!("{}: {text}", entry.called)),
            other => other,
        })?;
        let poll = match entry.poll.map(&seconds) {
            None => poll,
            Some(Ok(poll)) => poll,
            Some(Err(error)) => return Err(Error::Usage(format!("{}: {error}", entry.called))),
        };
        let name = entry.name.as_deref().map(str::to_owned);
        databases.push((entry.called, name, Arc::new(target), poll));
    }
    let names = names(&databases)?;
    let database =
        |((_, _, target, poll), name): ((String, Option<String>, Arc<Target>, Duration), String)| Database {
            name: name.into(),
            target,
            poll,
            is_one_of_several,
        };
    Ok(databases.into_iter().zip(names).map(database).collect())
}

/// What the command line, the environment or the file say; exactly one of them.
fn raw(named: Named<'_>) -> Result<Vec<Raw>> {
    let given: Vec<&str> = named.given.iter().flat_map(|value| one_a_line(value)).collect();
    let in_file = named.url.filter(|url| !url.trim().is_empty());
    if let Some(entries) = &named.entries {
        let both = match (given.is_empty(), &in_file) {
            (true, None) => None,
            (true, Some(_)) => Some(format!("{KEY} and [[database]] of the file")),
            (false, _) => {
                Some("--database-url (or SENDGATED_DATABASE_URL) and [[database]] of the file".to_owned())
            }
        };
        if let Some(both) = both {
            return Err(Error::Usage(format!(
                "{both} both say which databases, and it is not clear whether one list replaces the other: \
                 leave one of the two out"
            )));
        }
        if entries.is_empty() {
            return Err(Error::Usage(
                "database = [] in the file is an empty list: write a table [[database]] with a url for each \
                 database, or leave the key out"
                    .to_owned(),
            ));
        }
    }
    if let Some(entries) = named.entries {
        return entries.into_iter().enumerate().map(|(n, entry)| of_entry(n + 1, entry)).collect();
    }
    let urls: Vec<String> = match given.is_empty() {
        true => in_file.into_iter().collect(),
        false => given.into_iter().map(str::to_owned).collect(),
    };
    if urls.is_empty() {
        return Err(Error::Usage(
            "which database? Set SENDGATED_DATABASE_URL, give --database-url, \
             or write database_url into the file that --config names"
                .to_owned(),
        ));
    }
    let of_url = |(n, url)| Raw {
        called: format!("database {} of the list", n + 1),
        name: None,
        url,
        password_file: None,
        poll: None,
    };
    Ok(urls.into_iter().enumerate().map(of_url).collect())
}

/// A value, or its lines if each of them is a URL. Many tools set an empty variable for one that has no value.
fn one_a_line(value: &str) -> Vec<&str> {
    let lines: Vec<&str> = value.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let is_url = |line: &&str| SCHEMES.iter().any(|scheme| line.starts_with(scheme));
    if value.trim().is_empty() {
        Vec::new()
    } else if lines.len() > 1 && lines.iter().all(is_url) {
        lines
    } else {
        vec![value]
    }
}

fn of_entry(number: usize, entry: Entry) -> Result<Raw> {
    let name = entry.name.as_deref();
    let called = match name {
        Some(name) => format!("[[database]] number {number} ({})", stripped(name)),
        None => format!("[[database]] number {number}"),
    };
    if let Some(name) = name
        && (name.trim().is_empty()
            || name.chars().count() > NAME_CHARACTERS_MAX
            || name.chars().any(char::is_control))
    {
        return Err(Error::Usage(format!(
            "{called}: its name has to have 1 to {NAME_CHARACTERS_MAX} characters, none of them a control character"
        )));
    }
    let Some(url) = entry.url.filter(|url| !url.trim().is_empty()) else {
        return Err(Error::Usage(format!(
            "{called} has no url: write url = \"postgres://user@host:5432/database\""
        )));
    };
    Ok(Raw { called, name: entry.name, url, password_file: entry.password_file, poll: entry.poll })
}

/// The name of each: the one that the file gives it, or else the database's own; with its server if several have that.
fn names(databases: &[(String, Option<String>, Arc<Target>, Duration)]) -> Result<Vec<String>> {
    let own = |target: &Target| {
        let name = target.driver.get_dbname().or(target.driver.get_user()).unwrap_or("default");
        name.chars().filter(|c| !c.is_control()).collect::<String>()
    };
    let shared = |name: &str| databases.iter().filter(|(_, _, target, _)| own(target) == name).count() > 1;
    let mut names: Vec<String> = Vec::with_capacity(databases.len());
    for (n, (called, name, target, _)) in databases.iter().enumerate() {
        let earlier = &databases[..n];
        if let Some((same, ..)) = earlier.iter().find(|(_, _, known, _)| known.place() == target.place()) {
            return Err(Error::Usage(format!(
                "{same} and {called} are the same database, {}: leave one of them out",
                stripped(&target.place())
            )));
        }
        let name = match name {
            Some(name) => name.clone(),
            None if shared(&own(target)) => target.place(),
            None => own(target),
        };
        if let Some(first) = names.iter().position(|known| *known == name) {
            return Err(Error::Usage(format!(
                "{} and {called} have the same name, {}: give each [[database]] a name of its own",
                databases[first].0,
                stripped(&name)
            )));
        }
        names.push(name);
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLL: Duration = Duration::from_secs(3);

    fn seconds(seconds: f64) -> Result<Duration> {
        if seconds > 0.0 {
            Ok(Duration::from_secs_f64(seconds))
        } else {
            Err(Error::Usage("poll".to_owned()))
        }
    }

    fn given(values: &[&str]) -> Result<Vec<Database>> {
        let given: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        read(Named { given: &given, ..Named::default() }, POLL, seconds)
    }

    fn file(text: &str) -> Result<Vec<Database>> {
        #[derive(Deserialize)]
        struct File {
            database_url: Option<String>,
            database: Entries,
        }
        let file: File = toml::from_str(text).expect(text);
        read(Named { url: file.database_url, entries: file.database, ..Named::default() }, POLL, seconds)
    }

    fn names(databases: Result<Vec<Database>>) -> Vec<String> {
        databases.expect("databases").iter().map(|database| database.name.to_string()).collect()
    }

    fn complaint(databases: Result<Vec<Database>>) -> String {
        let text = databases.expect_err("a complaint").to_string();
        assert!(!text.contains("geheim"), "{text}");
        text
    }

    #[test]
    fn one_database_is_named_nowhere() {
        let one = given(&["postgres://u@h/app"]).expect("one");
        assert!(one.len() == 1 && one[0].label().is_none());
        let one = file("database_url = 'postgres://u@h/app'").expect("one");
        assert!(one.len() == 1 && one[0].label().is_none());
        let one = file("[[database]]\nname = 'eu'\nurl = 'postgres://u@h/app'").expect("one");
        assert!(one.len() == 1 && one[0].label().is_none() && &*one[0].name == "eu");
        // What libpq takes may have line ends.
        assert_eq!(given(&["host=h\nuser=u dbname=app"]).expect("one").len(), 1);
        assert!(complaint(given(&[])).starts_with("which database?"));
        assert!(complaint(given(&["", " \n"])).starts_with("which database?"));
    }

    #[test]
    fn several_keep_their_order_and_have_names() {
        assert_eq!(names(given(&["postgres://u@h/b", "postgres://u@h/a"])), ["b", "a"]);
        assert_eq!(names(given(&["postgres://u@h/b\npostgres://u@h/a\n"])), ["b", "a"]);
        let servers = given(&["postgres://u@h1/app", "postgres://u@h2:5433/app", "postgres://u@h2/x"]);
        assert_eq!(names(servers), ["h1:5432 (app)", "h2:5433 (app)", "x"]);
        let several = file(
            "[[database]]\nname = 'eu'\nurl = 'postgres://u@h1/app'\npoll = 0.5\n\
             [[database]]\nurl = 'postgres://u@h2/us'",
        )
        .expect("two");
        assert_eq!(several.iter().map(|database| database.poll).collect::<Vec<_>>(), [POLL / 6, POLL]);
        assert_eq!(several.iter().filter_map(|database| database.label()).count(), 2);
        assert_eq!(&*several[0].name, "eu");
    }

    #[test]
    fn what_is_wrong_is_named_and_no_url_is_quoted() {
        for (said, expected) in [
            (
                given(&["postgres://u:geheim@h/app", "postgres://v:geheim@h:5432/app"]),
                "are the same database, h:5432 (app)",
            ),
            (given(&["postgres://u@h/app", "postgres://u:geheim@h:x/b"]), "database 2 of the list: "),
            (file("database = []"), "an empty list"),
            (
                file("database_url = 'postgres://u@h/a'\n[[database]]\nurl = 'postgres://u@h/b'"),
                "leave one of the two out",
            ),
            (file("[[database]]\nname = 'eu'"), "[[database]] number 1 (eu) has no url"),
            (file("[[database]]\nname = ' '\nurl = 'postgres://u@h/b'"), "1 to 64 characters"),
            (file("[[database]]\nname = 'eu'\npoll = 0.0\nurl = 'postgres://u@h/b'"), "number 1 (eu): poll"),
            (
                file(
                    "[[database]]\nname = 'eu'\nurl = 'postgres://u@h/a'\n[[database]]\nname = 'eu'\nurl = 'postgres://u@h/b'",
                ),
                "have the same name, eu",
            ),
            (
                file(
                    "[[database]]\nname = 'b'\nurl = 'postgres://u@h/a'\n[[database]]\nurl = 'postgres://u@h/b'",
                ),
                "have the same name, b",
            ),
        ] {
            let text = complaint(said);
            assert!(text.contains(expected), "{text}: {expected}");
        }
        let entries = Some(vec![Entry { url: Some("postgres://u@h/b".to_owned()), ..Entry::default() }]);
        let url = ["postgres://u@h/a".to_owned()];
        let both = read(Named { given: &url, entries, ..Named::default() }, POLL, seconds);
        assert!(complaint(both).contains("SENDGATED_DATABASE_URL"));
        let many: Vec<String> = (0..=DATABASES_MAX).map(|n| format!("postgres://u@h/d{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(complaint(given(&many)).contains("at most 64"));
        assert_eq!(given(&many[1..]).expect("64").len(), DATABASES_MAX);
    }
}
