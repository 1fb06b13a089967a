//! The daemon's own log: JSON lines on standard error. Standard output has only the breaker's lines.

use std::fmt;

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::config::redact::redact;
use crate::terminal::harmless_json;

/// The value of the field `source` in every line.
const SOURCE: &str = "sendgated";
/// The variable with a `tracing` filter that says how much is logged; `debug` logs more.
const LEVEL_VARIABLE: &str = "SENDGATED_LOG";

/// Starts logging from this level on. A second call changes nothing.
pub fn start(level: &str) {
    let filter = EnvFilter::try_from_env(LEVEL_VARIABLE).unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // It fails only if logging was started before.
    let _ = tracing::subscriber::set_global_default(builder.event_format(Json).finish());
}

/// One JSON object a line: source, ts, level, message, then the event's own fields.
struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut ts = String::new();
        SystemTime.format_time(&mut Writer::new(&mut ts))?;
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let (level, message) = (event.metadata().level().as_str(), harmless_json(&message.to_string()));
        write!(
            writer,
            "{{\"source\":\"{SOURCE}\",\"ts\":\"{ts}\",\"level\":\"{level}\",\"message\":{message}"
        )?;
        for (name, value) in &fields.0 {
            // The log may be read on a terminal, and a value may hold text of other people.
            write!(writer, ",{}:{}", Value::from(name.as_str()), harmless_json(&value.to_string()))?;
        }
        writeln!(writer, "}}")
    }
}

/// An event's fields; passwords in text are replaced.
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0.insert(field.name().to_owned(), Value::from(redact(&format!("{value:?}"))));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), Value::from(redact(value)));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), Value::from(value));
    }
}
