//! Writes metrics: a family with the numbers of each database, and, where there are several, one with their total under
//! another name, so that no sum counts anything twice.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeMetric, GaugeValueEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

use crate::db::numbers::Numbers;

/// How the metrics of this daemon begin.
const PREFIX: &str = "sendgate_";
/// How their totals over several databases begin.
const TOTAL_PREFIX: &str = "sendgate_fleet_";

/// Numbers of one database.
#[derive(Clone, Debug)]
pub struct Of {
    /// Its name where several are served.
    pub database: Option<Arc<str>>,
    /// The server that it is on; none if that is not known.
    pub server: Option<i64>,
    /// How long ago they were counted.
    pub age: Duration,
    /// The numbers.
    pub numbers: Arc<Numbers>,
}

/// Numbers of all databases that could be counted.
#[derive(Clone, Debug)]
pub struct Counted {
    /// Each of them, in the order in which they are named.
    pub databases: Vec<Of>,
    /// Whether some could not be counted: then there are no totals, because they would be too low.
    pub some_are_missing: bool,
}

impl Counted {
    /// The databases whose server no earlier one is on: what a server counts for all its databases is told once.
    pub fn first_of_each_server(&self) -> impl Iterator<Item = &Of> {
        let is_first = |n: usize, of: &Of| {
            of.server.is_none() || !self.databases[..n].iter().any(|earlier| earlier.server == of.server)
        };
        self.databases.iter().enumerate().filter(move |(n, of)| is_first(*n, of)).map(|(_, of)| of)
    }
}

/// How numbers of several databases become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// They add up.
    Sum,
    /// The greatest of them: ages, and whether something holds anywhere. NaN is greater than all.
    Greatest,
    /// The least of them: whether something holds everywhere.
    Least,
}

/// A number, written as what it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    /// A count.
    Whole(i64),
    /// A time, perhaps NaN.
    Real(f64),
}

impl From<i64> for Value {
    fn from(number: i64) -> Value {
        Value::Whole(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Real(number)
    }
}

impl EncodeGaugeValue for Value {
    fn encode(&self, encoder: &mut GaugeValueEncoder) -> fmt::Result {
        match self {
            Value::Whole(number) => EncodeGaugeValue::encode(number, encoder),
            Value::Real(number) => EncodeGaugeValue::encode(number, encoder),
        }
    }
}

impl Value {
    fn real(self) -> f64 {
        match self {
            Value::Whole(number) => number as f64,
            Value::Real(number) => number,
        }
    }

    /// The greater one; NaN if one is NaN.
    pub fn greatest(self, other: Value) -> Value {
        if self.real().is_nan() || self.real() >= other.real() { self } else { other }
    }

    fn with(self, other: Value, total: Total) -> Value {
        match (total, self, other) {
            (Total::Greatest, ..) => self.greatest(other),
            (Total::Least, ..) => {
                if other.real() < self.real() {
                    other
                } else {
                    self
                }
            }
            (Total::Sum, Value::Whole(one), Value::Whole(two)) => Value::Whole(one.saturating_add(two)),
            (Total::Sum, ..) => Value::Real(self.real() + other.real()),
        }
    }
}

/// A number with its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    labels: Vec<(&'static str, String)>,
    value: Value,
}

impl Sample {
    /// A number that needs no label.
    pub fn bare(value: impl Into<Value>) -> Sample {
        Sample { labels: Vec::new(), value: value.into() }
    }

    /// A number with labels.
    pub fn of<'a>(
        labels: impl IntoIterator<Item = (&'static str, &'a str)>,
        value: impl Into<Value>,
    ) -> Sample {
        let labels = labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Sample { labels, value: value.into() }
    }

    /// The same with the label of its database, if it has one.
    fn labelled(mut self, of: &Of) -> Sample {
        if let Some(name) = &of.database {
            self.labels.insert(0, ("database", name.to_string()));
        }
        self
    }
}

/// The samples of several databases, those with the same labels made into one.
fn total(samples: &[Sample], how: Total) -> Vec<Sample> {
    let mut totals: Vec<Sample> = Vec::new();
    for sample in samples {
        match totals.iter_mut().find(|known| known.labels == sample.labels) {
            Some(known) => known.value = known.value.with(sample.value, how),
            None => totals.push(sample.clone()),
        }
    }
    totals
}

/// Writes families one after the other.
pub struct Families<'a, 'b> {
    encoder: &'a mut DescriptorEncoder<'b>,
    counted: &'a Counted,
}

impl<'a, 'b> Families<'a, 'b> {
    /// Of these numbers.
    pub fn new(encoder: &'a mut DescriptorEncoder<'b>, counted: &'a Counted) -> Families<'a, 'b> {
        Families { encoder, counted }
    }

    /// Whether something holds; in total: anywhere.
    pub fn flag(&mut self, name: &str, help: &str, read: impl Fn(&Numbers) -> bool) -> fmt::Result {
        self.gauge(name, help, Total::Greatest, |numbers| i64::from(read(numbers)))
    }

    /// A metric of one number.
    pub fn gauge<V: Into<Value>>(
        &mut self,
        name: &str,
        help: &str,
        how: Total,
        read: impl Fn(&Numbers) -> V,
    ) -> fmt::Result {
        self.each_of(name, help, how, |of| vec![Sample::bare(read(&of.numbers))])
    }

    /// A metric with a number for each set of labels.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &str,
        how: Total,
        read: impl Fn(&Numbers) -> Vec<Sample>,
    ) -> fmt::Result {
        self.each_of(name, help, how, |of| read(&of.numbers))
    }

    /// The same, of more than the numbers. A family without a number is left out.
    pub fn each_of(
        &mut self,
        name: &str,
        help: &str,
        how: Total,
        read: impl Fn(&Of) -> Vec<Sample>,
    ) -> fmt::Result {
        let databases = &self.counted.databases;
        let samples: Vec<(&Of, Vec<Sample>)> = databases.iter().map(|of| (of, read(of))).collect();
        let bare: Vec<Sample> = samples.iter().flat_map(|(_, samples)| samples.iter().cloned()).collect();
        let labelled = samples
            .into_iter()
            .flat_map(|(of, samples)| samples.into_iter().map(|sample| sample.labelled(of)));
        self.write(name, help, labelled.collect())?;
        let are_several = databases.iter().any(|of| of.database.is_some());
        if are_several && !self.counted.some_are_missing {
            let name = name.replacen(PREFIX, TOTAL_PREFIX, 1);
            self.write(&name, &format!("{help} Of all databases together."), total(&bare, how))?;
        }
        Ok(())
    }

    fn write(&mut self, name: &str, help: &str, samples: Vec<Sample>) -> fmt::Result {
        if samples.is_empty() {
            return Ok(());
        }
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for sample in samples {
            metric.encode_family(&sample.labels)?.encode_gauge(&sample.value)?;
        }
        Ok(())
    }

    /// What a server counts since it started, for all its databases: told once a server, of the first of its databases that
    /// is served. A total would fall whenever one of them restarts or is away, so there is none: add up rates.
    pub fn counters_of_servers(
        &mut self,
        name: &str,
        help: &str,
        read: impl Fn(&Numbers) -> Vec<Sample>,
    ) -> fmt::Result {
        let of_servers = self.counted.first_of_each_server();
        let samples: Vec<Sample> = of_servers
            .flat_map(|of| read(&of.numbers).into_iter().map(|sample| sample.labelled(of)))
            .collect();
        if samples.is_empty() {
            return Ok(());
        }
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for sample in samples {
            let Value::Whole(count) = sample.value else { continue };
            let counter = ConstCounter::new(u64::try_from(count).unwrap_or(0));
            counter.encode(metric.encode_family(&sample.labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_add_up_or_are_the_worst() {
        let samples = [
            Sample::of([("state", "open")], 2),
            Sample::of([("state", "closed")], 5),
            Sample::of([("state", "open")], 3),
        ];
        let expected = [Sample::of([("state", "open")], 5), Sample::of([("state", "closed")], 5)];
        assert_eq!(total(&samples, Total::Sum), expected);
        let ages = |ages: &[f64]| ages.iter().map(|age| Sample::bare(*age)).collect::<Vec<_>>();
        assert_eq!(total(&ages(&[2.0, 7.0, 3.0]), Total::Greatest), ages(&[7.0]));
        assert_eq!(total(&ages(&[2.0, 7.0, 1.0]), Total::Least), ages(&[1.0]));
        for unknown in [[2.0, f64::NAN, 3.0], [f64::NAN, 2.0, 3.0], [2.0, 3.0, f64::NAN]] {
            assert!(total(&ages(&unknown), Total::Greatest)[0].value.real().is_nan());
        }
        assert!(total(&[], Total::Sum).is_empty());
    }
}
