//! Sessions of signed-in operators. They are in memory only and end with the daemon.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ring::rand::{SecureRandom, SystemRandom};

use crate::config::tokens::{Role, sha256};
use crate::error::{Error, Result};

/// A session ends after this time, even if it is in use.
const LASTS_AT_MOST: Duration = Duration::from_secs(12 * 3600);
/// Most sessions at the same time; a new one ends the one that was idle longest.
const SESSIONS_MAX: usize = 200;
/// Random bytes of a session's id and of its forms' token.
const RANDOM_BYTES: usize = 32;

/// The operator of a request, as the session knows.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The operator's name.
    pub name: String,
    /// What the token was good for.
    pub role: Role,
    /// The secret that every form of the session carries.
    pub csrf: String,
    /// The session's key: the hash of its id.
    key: Key,
}

type Key = [u8; 32];

#[derive(Debug)]
struct Session {
    name: String,
    role: Role,
    csrf: String,
    begun: Instant,
    seen: Instant,
    notice: Option<String>,
}

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    open: HashMap<Key, Session>,
    idle_max: Duration,
}

impl Sessions {
    /// No sessions yet. Each ends after `idle_max` without a request.
    pub fn new(idle_max: Duration) -> Sessions {
        Sessions { open: HashMap::new(), idle_max }
    }

    /// Begins a session and answers its id, which goes into the cookie.
    pub fn begin(&mut self, (name, role): (&str, Role), now: Instant) -> Result<String> {
        self.forget_ended(now);
        if self.open.len() >= SESSIONS_MAX
            && let Some(key) = self.open.iter().min_by_key(|(_, session)| session.seen).map(|(key, _)| *key)
        {
            self.open.remove(&key);
        }
        let (id, csrf) = (random()?, random()?);
        let session = Session { name: name.to_owned(), role, csrf, begun: now, seen: now, notice: None };
        // Sessions are found by the hash of their id: the time of a look-up tells nothing about an id.
        self.open.insert(sha256(&id), session);
        Ok(id)
    }

    /// The operator of the session, if it has not ended. Requests that a page makes by itself do not keep it
    /// alive.
    pub fn find(&mut self, id: &str, now: Instant, by_itself: bool) -> Option<Visitor> {
        self.forget_ended(now);
        let key = sha256(id);
        let session = self.open.get_mut(&key)?;
        if !by_itself {
            session.seen = now;
        }
        Some(Visitor { name: session.name.clone(), role: session.role, csrf: session.csrf.clone(), key })
    }

    /// Ends the session.
    pub fn end(&mut self, visitor: &Visitor) {
        self.open.remove(&visitor.key);
    }

    /// Leaves a sentence for the session's next page.
    pub fn leave_notice(&mut self, visitor: &Visitor, notice: String) {
        if let Some(session) = self.open.get_mut(&visitor.key) {
            session.notice = Some(notice);
        }
    }

    /// The sentence that was left, once.
    pub fn take_notice(&mut self, visitor: &Visitor) -> Option<String> {
        self.open.get_mut(&visitor.key)?.notice.take()
    }

    fn forget_ended(&mut self, now: Instant) {
        let idle_max = self.idle_max;
        self.open.retain(|_, session| {
            now.duration_since(session.seen) < idle_max && now.duration_since(session.begun) < LASTS_AT_MOST
        });
    }
}

impl Visitor {
    /// Whether the visitor may act on accounts.
    pub fn may_act(&self) -> bool {
        self.role == Role::Act
    }

    /// The key of a form of this session, from the id that the form was given.
    pub fn form(&self, id: &str) -> [u8; 32] {
        sha256(&format!("{} {id}", self.csrf))
    }
}

/// 32 random bytes in hexadecimal.
///
/// # Errors
///
/// [`Error::Usage`] if the system has no random numbers.
pub fn random() -> Result<String> {
    let mut bytes = [0; RANDOM_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::Usage("the system has no random numbers".to_owned()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Duration = Duration::from_secs(60);

    #[test]
    fn a_session_is_found_by_its_id_alone_until_it_is_ended() {
        let now = Instant::now();
        let mut sessions = Sessions::new(IDLE);
        let (ada, grace) = (
            sessions.begin(("ada", Role::Act), now).expect("one"),
            sessions.begin(("grace", Role::Act), now).expect("two"),
        );
        assert!(ada.len() == 64 && ada != grace);
        let visitor = sessions.find(&ada, now, false).expect("ada");
        assert!(visitor.name == "ada" && visitor.csrf != ada && visitor.csrf.len() == 64);
        assert!(sessions.find(&visitor.csrf, now, false).is_none());
        sessions.end(&visitor);
        assert!(sessions.find(&ada, now, false).is_none());
        assert!(sessions.find(&grace, now, false).is_some());
    }

    #[test]
    fn idle_and_old_sessions_end_and_refreshing_pages_keep_none_alive() {
        let start = Instant::now();
        let mut sessions = Sessions::new(IDLE);
        let id = sessions.begin(("ada", Role::Act), start).expect("one");
        assert!(sessions.find(&id, start + IDLE / 2, false).is_some());
        assert!(sessions.find(&id, start + IDLE, true).is_some());
        assert!(sessions.find(&id, start + IDLE * 3 / 2, true).is_none());
        let busy = sessions.begin(("ada", Role::Act), start).expect("one");
        let mut now = start;
        while now < start + LASTS_AT_MOST - IDLE {
            now += IDLE / 2;
            assert!(sessions.find(&busy, now, false).is_some());
        }
        assert!(sessions.find(&busy, start + LASTS_AT_MOST, false).is_none());
    }

    #[test]
    fn there_are_never_too_many() {
        let now = Instant::now();
        let mut sessions = Sessions::new(IDLE);
        let first = sessions.begin(("ada", Role::Act), now).expect("one");
        for n in 1..=SESSIONS_MAX {
            sessions.begin(("ada", Role::Act), now + Duration::from_millis(n as u64)).expect("one");
        }
        assert_eq!(sessions.open.len(), SESSIONS_MAX);
        assert!(sessions.find(&first, now, false).is_none());
    }

    #[test]
    fn a_notice_is_told_once() {
        let now = Instant::now();
        let mut sessions = Sessions::new(IDLE);
        let id = sessions.begin(("ada", Role::Act), now).expect("one");
        let visitor = sessions.find(&id, now, false).expect("ada");
        sessions.leave_notice(&visitor, "done".to_owned());
        assert_eq!(sessions.take_notice(&visitor).as_deref(), Some("done"));
        assert_eq!(sessions.take_notice(&visitor), None);
    }
}
