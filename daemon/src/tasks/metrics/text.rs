//! Prometheus' text format.

use std::fmt::Write;

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Page(String);

/// Whether a number can go down.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// It can.
    Gauge,
    /// It only grows, until the process ends.
    Counter,
}

impl Page {
    /// Begins a metric: what it is called, and what it says, with its unit.
    pub fn begin(&mut self, name: &'static str, kind: Kind, help: &str) -> Family<'_> {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        self.line(&format!("# HELP {name} {help}"));
        self.line(&format!("# TYPE {name} {kind}"));
        Family { page: self, name }
    }

    /// A metric of one number.
    pub fn one(&mut self, name: &'static str, kind: Kind, help: &str, value: f64) {
        self.begin(name, kind, help).put(&[], value);
    }

    /// The page.
    pub fn finish(self) -> String {
        self.0
    }

    fn line(&mut self, text: &str) {
        self.0 += text;
        self.0 += "\n";
    }
}

/// A metric whose samples are being written.
#[derive(Debug)]
pub struct Family<'a> {
    page: &'a mut Page,
    name: &'static str,
}

impl Family<'_> {
    /// One sample.
    pub fn put(&mut self, labels: &[(&str, &str)], value: f64) {
        let mut text = self.name.to_owned();
        for (n, (name, value)) in labels.iter().enumerate() {
            text.push(if n == 0 { '{' } else { ',' });
            // Writing into a string cannot fail.
            let _ = write!(text, "{name}=\"{}\"", escaped(value));
        }
        if !labels.is_empty() {
            text.push('}');
        }
        // Adding nought makes -0, which an empty sum is, 0.
        let value = if value.is_nan() { "NaN".to_owned() } else { (value + 0.0).to_string() };
        self.page.line(&format!("{text} {value}"));
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_prometheus_reads_them() {
        let mut page = Page::default();
        page.one("up", Kind::Gauge, "Whether.\nIt is.", 1.0);
        let mut family = page.begin("runs_total", Kind::Counter, "Runs.");
        family.put(&[("job", "a\"b\\c\n"), ("outcome", "ok")], 0.0);
        family.put(&[("job", "x"), ("outcome", "ok")], -0.0);
        family.put(&[], f64::NAN);
        assert_eq!(
            page.finish(),
            "# HELP up Whether.\\nIt is.\n# TYPE up gauge\nup 1\n\
             # HELP runs_total Runs.\n# TYPE runs_total counter\n\
             runs_total{job=\"a\\\"b\\\\c\\n\",outcome=\"ok\"} 0\n\
             runs_total{job=\"x\",outcome=\"ok\"} 0\nruns_total NaN\n"
        );
    }
}
