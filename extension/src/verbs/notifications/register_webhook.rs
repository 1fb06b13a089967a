//! `register_webhook`: a daemon has a webhook of this name in its configuration.

use crate::postgres::clock;
use crate::postgres::error::{Code, Error, Result};
use crate::postgres::function::{Answer, Args, VOID, null_argument, sql_statements, unknown_value};
use crate::postgres::param::{Element, array, params, types};
use crate::postgres::statement::{Spi, Statement};
use crate::tables::webhook_outbox::Event;

sql_statements!(sendgate_register_webhook, pg_finfo_sendgate_register_webhook, register_webhook);

static REGISTER: Statement = Statement::new(
    "INSERT INTO sendgate.webhooks AS w (name, events, registered_at, seen_at) VALUES ($1, $2, $3, $3)
     ON CONFLICT (name) DO UPDATE SET events = EXCLUDED.events, seen_at = EXCLUDED.seen_at",
    types![text, texts, instant],
);

/// The clock ran ahead when these were lent, and would keep them back for as long.
static MEND: Statement = Statement::new(
    "UPDATE sendgate.webhook_outbox o
     SET not_before = $2, first_tried_at = LEAST(o.first_tried_at, $2)
     WHERE o.webhook OPERATOR(pg_catalog.=) $1
       AND o.not_before OPERATOR(pg_catalog.>) ($2 OPERATOR(pg_catalog.+) '1 day'::pg_catalog.interval)",
    types![text, instant],
);

fn register_webhook(args: &Args) -> Answer {
    let name = args.id(0, "name")?;
    let events: Vec<Option<String>> = args.required(1, "events")?;
    let events = checked(&events)?;
    Spi::connect(|spi| {
        let now = clock::now();
        let events = array(Element::Text, events.iter().map(|event| event.name()));
        spi.run_waiting(&REGISTER, &[params![name][0], events, params![now][0]])?.must_be(1, "webhooks");
        spi.run_waiting(&MEND, params![name, now])?;
        Ok(())
    })?;
    VOID
}

/// Each once, in the order of the list.
fn checked(events: &[Option<String>]) -> Result<Vec<Event>> {
    let allowed = || Event::ALL.map(Event::name).join(", ");
    for event in events {
        let name = event.as_deref().ok_or_else(|| null_argument("event"))?;
        if Event::ALL.iter().all(|known| known.name() != name) {
            return Err(unknown_value("event", name, &allowed()));
        }
    }
    if events.is_empty() {
        return Err(Error::new(
            Code::UnknownValue,
            "events has no elements",
            format!("A webhook that is told of nothing is none. Allowed values of event: {}.", allowed()),
            "Name at least one event.",
        ));
    }
    let wanted = |event: &Event| events.iter().flatten().any(|name| name == event.name());
    Ok(Event::ALL.into_iter().filter(wanted).collect())
}
