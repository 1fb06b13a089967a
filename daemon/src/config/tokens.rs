//! The operators who may sign in: named tokens, from a file that only the daemon's user can read.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::Deserialize;
use subtle::ConstantTimeEq;

use super::password::is_open;
use crate::error::{Error, Result};

/// Shortest token: 16 random bytes in base64 have so many characters.
const TOKEN_CHARACTERS_MIN: usize = 22;
/// Longest name in characters; the database's logs keep no more of it.
const NAME_CHARACTERS_MAX: usize = 100;
/// The prefix of a token that is given as its hash, in hexadecimal.
const HASHED: &str = "sha256:";

type Hash = [u8; SHA256_OUTPUT_LEN];

/// What a token is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reading, and acting on accounts.
    #[default]
    Act,
    /// Reading alone: pages, metrics, lists.
    Read,
}

/// The names of operators, with the hashes of their tokens and what these are good for.
#[derive(Clone, Debug, Default)]
pub struct Tokens(Vec<(String, Hash, Role)>);

/// The file, in TOML.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    tokens: BTreeMap<String, Entry>,
}

/// A token of the file: alone, or with its role.
#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain(String),
    WithRole(WithRole),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WithRole {
    token: String,
    role: Role,
}

impl Entry {
    fn parts(self) -> (String, Role) {
        match self {
            Entry::Plain(token) => (token, Role::default()),
            Entry::WithRole(entry) => (entry.token, entry.role),
        }
    }
}

impl Tokens {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if others can read the file, or it has no usable tokens. Errors name operators, never
    /// tokens.
    pub fn read(path: &Path) -> Result<Tokens> {
        let refused = |why: String| Error::Usage(format!("tokens file {}: {why}", path.display()));
        let metadata = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
        if is_open(metadata.mode(), metadata.uid(), metadata.gid()) {
            return Err(refused("others can read or change it; run chmod 600 on it".to_owned()));
        }
        let text = fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        Tokens::parse(&text).map_err(refused)
    }

    /// Reads the file's text; the error says what is wrong with it, without quoting it.
    pub fn parse(text: &str) -> std::result::Result<Tokens, String> {
        // The parser's own message would quote the line with the token.
        let file: File = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| text[..span.start].matches('\n').count() + 1);
            format!(
                "line {line} is not as expected: [tokens], then name = \"token\" or \
                 name = {{ token = \"token\", role = \"act\" or \"read\" }}, each name once"
            )
        })?;
        let mut tokens: Vec<(String, Hash, Role)> = Vec::with_capacity(file.tokens.len());
        for (name, entry) in file.tokens {
            let (token, role) = entry.parts();
            let name = checked_name(name)?;
            let hash = hash_of(&token).map_err(|why| format!("the token of {name} {why}"))?;
            if let Some((other, ..)) = tokens.iter().find(|(_, known, _)| *known == hash) {
                return Err(format!("{other} and {name} have the same token"));
            }
            tokens.push((name, hash, role));
        }
        if tokens.is_empty() {
            return Err("it has no name".to_owned());
        }
        Ok(Tokens(tokens))
    }

    /// The operator with this token, and what it is good for. A wrong token takes as long as a right one.
    pub fn owner_of(&self, token: &str) -> Option<(&str, Role)> {
        let hash = sha256(token.trim());
        let mut found = None;
        for (name, known, role) in &self.0 {
            if bool::from(known.ct_eq(&hash)) {
                found = Some((name.as_str(), *role));
            }
        }
        found
    }

    /// Whether there is no operator.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// SHA-256 is enough here: the secret is random, so nothing has to slow down guessing.
pub fn sha256(text: &str) -> Hash {
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, text.as_bytes()).as_ref());
    hash
}

fn checked_name(name: String) -> std::result::Result<String, String> {
    let is_fine = !name.trim().is_empty()
        && name.chars().count() <= NAME_CHARACTERS_MAX
        && !name.chars().any(|c| c.is_control() || crate::terminal::is_harmful(c));
    if is_fine {
        return Ok(name);
    }
    Err(format!("a name is blank, longer than {NAME_CHARACTERS_MAX} characters, or cannot be read"))
}

fn hash_of(token: &str) -> std::result::Result<Hash, String> {
    if let Some(hex) = token.strip_prefix(HASHED) {
        return unhex(hex).ok_or_else(|| format!("is not {HASHED} and 64 hexadecimal digits"));
    }
    if token.trim() != token || token.chars().count() < TOKEN_CHARACTERS_MIN {
        return Err(format!(
            "is shorter than {TOKEN_CHARACTERS_MIN} characters or has blanks around it; \
             make one with: openssl rand -base64 24"
        ));
    }
    Ok(sha256(token))
}

fn unhex(hex: &str) -> Option<Hash> {
    let digits: Vec<u8> =
        hex.chars().map(|c| c.to_digit(16)).map(|d| d.map(|d| d as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, d| byte << 4 | d)).collect();
    if digits.len() == 2 * SHA256_OUTPUT_LEN { bytes.try_into().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADA: &str = "correct horse battery staple";

    #[test]
    fn a_token_has_a_name_and_anything_else_has_none() {
        let tokens = Tokens::parse(&format!("[tokens]\nada = '{ADA}'\ngrace = '{ADA} 2'")).expect("tokens");
        assert_eq!(tokens.owner_of(ADA), Some(("ada", Role::Act)));
        assert_eq!(tokens.owner_of(&format!(" {ADA} 2\n")), Some(("grace", Role::Act)));
        for wrong in ["", "ada", &ADA[1..], &ADA.to_uppercase()] {
            assert_eq!(tokens.owner_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_may_be_good_for_reading_alone() {
        let file = format!(
            "[tokens]\nada = '{ADA}'\nprometheus = {{ token = '{ADA} 2', role = 'read' }}\n\
                            grace = {{ token = '{ADA} 3', role = 'act' }}"
        );
        let tokens = Tokens::parse(&file).expect("tokens");
        assert_eq!(tokens.owner_of(&format!("{ADA} 2")), Some(("prometheus", Role::Read)));
        assert_eq!(tokens.owner_of(&format!("{ADA} 3")), Some(("grace", Role::Act)));
    }

    #[test]
    fn a_hash_does_as_well() {
        let hash: String = sha256(ADA).iter().map(|byte| format!("{byte:02x}")).collect();
        let tokens = Tokens::parse(&format!("[tokens]\nada = 'sha256:{hash}'")).expect("tokens");
        assert_eq!(tokens.owner_of(ADA), Some(("ada", Role::Act)));
        assert_eq!(tokens.owner_of(&hash), None);
        assert_eq!(tokens.owner_of(&format!("sha256:{hash}")), None);
        for hash in [&hash[1..], &format!("{hash}00"), &hash.replace(&hash[..1], "x"), "é"] {
            assert!(Tokens::parse(&format!("[tokens]\nada = 'sha256:{hash}'")).is_err(), "{hash}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_meant_is_refused_and_not_quoted() {
        for text in [
            "",
            "[tokens]",
            "[tokens]\nada = 'geheim'",
            "[tokens]\nada = ' geheim geheim geheim geheim'",
            "[tokens]\nada = 'geheim geheim geheim geheim'\ngrace = 'geheim geheim geheim geheim'",
            "[tokens]\nada = 'geheim geheim geheim geheim'\nada = 'geheim geheim geheim geheim 2'",
            "[tokens]\n' ' = 'geheim geheim geheim geheim'",
            "[tokens]\n\"a\\u202eb\" = 'geheim geheim geheim geheim'",
            "[tokens]\nada = { token = 'geheim geheim geheim geheim', role = 'write' }",
            "[tokens]\nada = { token = 'geheim geheim geheim geheim' }",
            "[tokens]\nada = { token = 'geheim geheim geheim geheim', role = 'read', more = 1 }",
            "tokens = 'geheim geheim geheim geheim'",
            "ada:geheim geheim geheim geheim",
        ] {
            let why = Tokens::parse(text).expect_err(text);
            assert!(!why.contains("geheim"), "{why}");
        }
    }
}
