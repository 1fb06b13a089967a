//! Time zones, from the server's own database.

use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::shown;
use crate::postgres::param::{params, types};
use crate::postgres::statement::{Spi, Statement};
use pgrx::pg_sys;
use sendgate_decision::clock::{Instant, SECOND};
use sendgate_decision::window::{Segment, Utc, Zone};
use std::cell::RefCell;
use std::collections::HashSet;
use std::ffi::CString;

/// Seconds from 1970-01-01 to 2000-01-01.
const EPOCH_SECONDS: i64 = 946_684_800;

/// Names that are files of the database but no zones of their own.
const NO_ZONES: [&str; 3] = ["Factory", "localtime", "posixrules"];

/// Reading the list of zones costs milliseconds, so a name is looked up once per backend.
static IS_ZONE: Statement = Statement::new(
    "SELECT 1 FROM pg_catalog.pg_timezone_names z WHERE z.name OPERATOR(pg_catalog.=) $1",
    types![text],
);

thread_local! {
    static KNOWN: RefCell<HashSet<String>> = RefCell::default();
}

/// Passes the name of an IANA zone that the server knows.
pub fn check(spi: &Spi, name: &str) -> Result<()> {
    if KNOWN.with_borrow(|known| known.contains(name)) {
        return Ok(());
    }
    if NO_ZONES.contains(&name) || spi.run(&IS_ZONE, params![name]).count() == 0 {
        return Err(Error::new(
            Code::UnknownTimeZone,
            format!("unknown time zone: \"{}\"", shown(name)),
            "A sending window is local to the account, so its zone must be an IANA name that this server knows.",
            "Write it as Europe/Berlin or UTC; pg_timezone_names lists all of them. Abbreviations and offsets are not accepted.",
        ));
    }
    KNOWN.with_borrow_mut(|known| known.insert(name.to_owned()));
    Ok(())
}

/// A zone of the server's database.
struct ServerZone(*const pg_sys::pg_tz);

/// The zone of an account. A name that the server no longer knows is an error: deciding by another
/// zone could send at night.
pub fn load(name: &str) -> Result<Box<dyn Zone>> {
    if name == "UTC" {
        return Ok(Box::new(Utc));
    }
    let text = CString::new(name).unwrap_or_default();
    let zone = unsafe { pg_sys::pg_tzset(text.as_ptr()) };
    if zone.is_null() {
        return Err(Error::new(
            Code::UnknownTimeZone,
            format!("the server no longer knows the time zone \"{}\"", shown(name)),
            "The account was set up on a server with another time zone database.",
            "Set the account's time_zone anew with upsert_account, or update the server's tzdata.",
        ));
    }
    Ok(Box::new(ServerZone(zone)))
}

impl Zone for ServerZone {
    fn segment(&self, at: Instant) -> Segment {
        let seconds: pg_sys::pg_time_t = at.0.div_euclid(SECOND) + EPOCH_SECONDS;
        let (mut before, mut before_dst, mut boundary, mut after, mut after_dst) = (0, 0, 0, 0, 0);
        let found = unsafe {
            pg_sys::pg_next_dst_boundary(
                &seconds,
                &mut before,
                &mut before_dst,
                &mut boundary,
                &mut after,
                &mut after_dst,
                self.0,
            )
        };
        let until = if found == 1 {
            Instant((boundary - EPOCH_SECONDS).saturating_mul(SECOND))
        } else {
            Instant::MAX
        };
        Segment { offset_seconds: before as i32, until }
    }
}
