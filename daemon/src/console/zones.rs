//! The time zone that a reader chose: a cookie has its name, PostgreSQL says what it is, and the console remembers that for
//! a while.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::header::{self, HeaderMap};

use super::Console;
use super::access::secure;
use crate::db::zone::Zone;

/// The cookie with the zone's name. It is the same on every port of a host: a reader has one zone.
const COOKIE: &str = "sendgate_zone";
/// For how long browsers keep it: a year, in seconds.
const KEPT_SECONDS: u32 = 31_536_000;
/// Longest name that is looked up; PostgreSQL's longest has 32 characters.
const NAME_BYTES_MAX: usize = 64;
/// A zone is read anew after this time, so that new rules and new years arrive.
const FRESH_FOR: Duration = Duration::from_secs(86_400);
/// Most zones that are remembered; PostgreSQL has about 600. Beyond that all are read anew.
const ZONES_MAX: usize = 700;

/// Zones by name, with when they were read; none for a name that PostgreSQL does not have.
#[derive(Debug, Default)]
pub struct Zones(HashMap<String, (Instant, Option<Arc<Zone>>)>);

impl Zones {
    fn find(&self, name: &str, now: Instant) -> Option<Option<Arc<Zone>>> {
        let (since, zone) = self.0.get(name)?;
        (now.duration_since(*since) < FRESH_FOR).then(|| zone.clone())
    }

    fn keep(&mut self, name: &str, zone: Option<Arc<Zone>>, now: Instant) {
        if self.0.len() >= ZONES_MAX {
            self.0.clear();
        }
        self.0.insert(name.to_owned(), (now, zone));
    }
}

impl Console {
    /// The zone of the reader who sends these headers; none: UTC. So it is also while the database does not answer, and
    /// if the cookie has a name that PostgreSQL does not know.
    pub async fn readers_zone(&self, headers: &HeaderMap) -> Option<Arc<Zone>> {
        let name = chosen(headers)?;
        let now = Instant::now();
        if let Some(zone) = self.zones().find(name, now) {
            return zone;
        }
        let zone = self.turn(async |session| session.zone(name).await).await.ok()?.map(Arc::new);
        self.zones().keep(name, zone.clone(), now);
        zone
    }
}

/// The name in the reader's cookie, if it can be one of a zone.
fn chosen(headers: &HeaderMap) -> Option<&str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, zone)| zone).filter(|zone| is_a_name(zone))
}

fn is_a_name(text: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/_+-".contains(&byte))
}

/// The `Set-Cookie` header that keeps the reader's choice, which is a zone's name.
pub fn set_cookie(zone: &str, headers: &HeaderMap) -> String {
    format!("{COOKIE}={zone}; Path=/; HttpOnly; SameSite=Strict; Max-Age={KEPT_SECONDS}{}", secure(headers))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_what_can_be_a_zones_name_is_looked_up() {
        let mut headers = HeaderMap::new();
        assert_eq!(chosen(&headers), None);
        headers.insert(header::COOKIE, HeaderValue::from_static("a=b; sendgate_zone=America/Port-au-Prince"));
        assert_eq!(chosen(&headers), Some("America/Port-au-Prince"));
        for hostile in ["", "Europe/Berlin'--", "a b", "\u{fc}", &"x".repeat(65)] {
            let Ok(cookie) = HeaderValue::from_str(&format!("sendgate_zone={hostile}")) else { continue };
            headers.insert(header::COOKIE, cookie);
            assert_eq!(chosen(&headers), None, "{hostile}");
        }
    }

    #[test]
    fn the_cookie_is_for_this_site_and_no_script() {
        let mut headers = HeaderMap::new();
        let cookie = "sendgate_zone=Asia/Tokyo; Path=/; HttpOnly; SameSite=Strict; Max-Age=31536000";
        assert_eq!(set_cookie("Asia/Tokyo", &headers), cookie);
        headers.insert(header::ORIGIN, HeaderValue::from_static("https://console.example.org"));
        assert_eq!(set_cookie("Asia/Tokyo", &headers), format!("{cookie}; Secure"));
    }

    #[test]
    fn zones_are_forgotten_after_a_day_and_never_too_many() {
        let (mut zones, now) = (Zones::default(), Instant::now());
        zones.keep("Mars/Olympus", None, now);
        assert_eq!(zones.find("Mars/Olympus", now), Some(None));
        assert_eq!(zones.find("Mars/Olympus", now + FRESH_FOR), None);
        for n in 0..2 * ZONES_MAX {
            zones.keep(&n.to_string(), None, now);
            assert!(zones.0.len() <= ZONES_MAX);
        }
    }
}
