//! Workloads from their sections: whose prompts, when, how long. Not their drawing
//! ([`crate::workload`]).

use toml::Spanned;

use super::{
    Model, Node, Resolver, Site,
    nodes::{base, device_of, peer},
};
use crate::{
    device::Device,
    scenario::{Arrivals, Backlog, Diurnal, Lengths, LengthsOf, Prefix, Turns, WorkloadSection},
    toml_file::TomlFileError,
};

/// Seconds of a token that people and backlogs are taken to wait for, where only their number is
/// known: about as fast as a person reads.
const TOKEN_S: f64 = 0.05;

/// What is asked by the clients of one institution.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Whose clients ask.
    pub institution: usize,
    /// Node that takes the prompts.
    pub home: usize,
    /// Which model.
    pub model: usize,
    /// Rules; the first policy restricts nothing.
    pub policy: usize,
    /// When requests come.
    pub arrival: Arrival,
    /// How long they are.
    pub length: Length,
    /// The hours of the day.
    pub diurnal: Option<Diurnal>,
    /// Conversations.
    pub turns: Option<Turns>,
    /// What prompts begin with, the same for many.
    pub prefix: Option<Prefix>,
    /// Share of the answers that are computed again.
    pub audit: f64,
}

/// When requests come.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// Gaps of a Gamma distribution: so many per second, standard deviation over mean.
    Gamma(f64, f64),
    /// Calm and busy rates per second, and mean seconds of each.
    Mmpp([f64; 2], [f64; 2]),
    /// So many people, mean seconds of thought.
    Closed(u32, f64),
    /// More than there is room for.
    Backlog(Backlog),
    /// At these seconds.
    At(Vec<f64>),
    /// Requests per interval, repeated: counts, seconds of an interval, mean rate wanted.
    Counts(Vec<u32>, f64, f64),
}

/// How long prompts and answers are.
#[derive(Debug, Clone)]
pub enum Length {
    /// Each by itself.
    Drawn(LengthsOf, LengthsOf),
    /// Pairs, in order or at random.
    Rows(Vec<(u32, u32)>, bool),
}

pub(super) fn workloads(
    resolver: &Resolver<'_>,
    sites: &[Site],
    models: &[Model],
    members: &[&str],
    devices: &[Device],
    nodes: &mut Vec<Node>,
) -> Result<Vec<Workload>, TomlFileError> {
    let sections = &resolver.scenario().workloads;
    let workloads: Vec<Workload> = sections
        .iter()
        .map(|section| workload(resolver, sites, models, members, devices, nodes, section))
        .collect::<Result<_, _>>()?;
    match workloads.iter().zip(sections).find(|(it, _)| !it.arrival.is_nothing()) {
        Some(_) => Ok(workloads),
        None => {
            let message = "nothing is asked: every workload's rate is zero".to_owned();
            Err(match sections.first() {
                Some(section) => resolver.error(&section.get_ref().arrivals, message),
                None => resolver.file.error(0, "a scenario has at least one [[workload]]"),
            })
        }
    }
}

fn workload(
    resolver: &Resolver<'_>,
    sites: &[Site],
    models: &[Model],
    members: &[&str],
    devices: &[Device],
    nodes: &mut Vec<Node>,
    section: &Spanned<WorkloadSection>,
) -> Result<Workload, TomlFileError> {
    let scenario = resolver.scenario();
    let it = section.get_ref();
    let named = |kind: &str, name: &Spanned<String>, found: Option<usize>| {
        let message = || format!("no {kind} is called {:?}", name.get_ref());
        found.ok_or_else(|| resolver.error(name, message()))
    };
    let found = models.iter().position(|model| model.name == *it.model.get_ref());
    let model = named("model", &it.model, found)?;
    let found = members.iter().position(|name| name == it.institution.get_ref());
    let institution = named("institution", &it.institution, found)?;
    let home = match (&it.home, &it.home_site) {
        (Some(name), None) => {
            let found = nodes.iter().position(|node| node.name == *name.get_ref());
            found.ok_or_else(|| {
                resolver.error(name, format!("no node is called {:?}", name.get_ref()))
            })?
        }
        (None, Some(site)) => {
            let place = base(resolver, sites, &it.institution, site)?;
            let device = match &it.home_device {
                Some(device) => device_of(resolver, device, model)?,
                None => devices.len(),
            };
            nodes.push(Node {
                name: format!("home of {} in {}", it.institution.get_ref(), site.get_ref()),
                peer: peer(nodes.len()),
                institution,
                site: place.site,
                device,
                model,
                blocks: None,
                stage: false,
                member: place.member,
                machine: None,
                room: None,
                rates: None,
            });
            nodes.len() - 1
        }
        (None, None) => {
            nodes.iter().position(|node| node.institution == institution).ok_or_else(|| {
                resolver.error(section, "the institution has no node: name home_site")
            })?
        }
        (Some(_), Some(site)) => {
            return Err(resolver.error(site, "home and home_site say the same thing: keep one"));
        }
    };
    let policy = match &it.policy {
        None => 0,
        Some(name) => 1 + resolver.find("policy", name, &scenario.policies, |it| &it.name)?,
    };
    Ok(Workload {
        institution,
        home,
        model,
        policy,
        arrival: arrival(resolver, &it.arrivals)?,
        length: length(resolver, section, &it.lengths)?,
        diurnal: it.diurnal,
        turns: it.turns,
        prefix: prefix(resolver, it.prefix.as_ref())?,
        audit: it.audit.get(),
    })
}

fn prefix(
    resolver: &Resolver<'_>,
    section: Option<&Spanned<Prefix>>,
) -> Result<Option<Prefix>, TomlFileError> {
    let Some(section) = section else { return Ok(None) };
    let prefix = *section.get_ref();
    if prefix.tokens == 0 || prefix.groups == 0 {
        return Err(
            resolver.error(section, "a shared beginning has tokens, and there is one at least")
        );
    }
    Ok(Some(prefix))
}

fn arrival(
    resolver: &Resolver<'_>,
    arrivals: &Spanned<Arrivals>,
) -> Result<Arrival, TomlFileError> {
    Ok(match arrivals.get_ref() {
        Arrivals::Poisson { per_s } => Arrival::Gamma(per_s.get(), 1.0),
        Arrivals::Gamma { per_s, variation } => Arrival::Gamma(per_s.get(), variation.get()),
        Arrivals::Mmpp { calm_per_s, busy_per_s, calm_s, busy_s } => {
            Arrival::Mmpp([calm_per_s.get(), busy_per_s.get()], [calm_s.get(), busy_s.get()])
        }
        Arrivals::Closed { users, think_s } => Arrival::Closed(*users, think_s.get()),
        Arrivals::Backlog(backlog) => Arrival::Backlog(*backlog),
        Arrivals::Trace { csv, column, speed } => {
            let mut times = columns(resolver, csv, &[column])?
                .into_iter()
                .map(|row| row[0] / speed.get())
                .collect::<Vec<_>>();
            times.sort_by(f64::total_cmp);
            let first = times.first().copied().unwrap_or(0.0);
            Arrival::At(times.into_iter().map(|time| time - first).collect())
        }
        Arrivals::Counts { json, interval_s, per_s } => {
            let text = resolver.read(json)?;
            let counts: Vec<u32> = serde_json::from_str(&text)
                .map_err(|error| resolver.error(json, format!("{:?}: {error}", json.get_ref())))?;
            if counts.iter().all(|count| *count == 0) {
                return Err(resolver.error(json, "the counts are all zero"));
            }
            Arrival::Counts(counts, interval_s.get(), per_s.get())
        }
    })
}

fn length(
    resolver: &Resolver<'_>,
    section: &Spanned<WorkloadSection>,
    lengths: &Lengths,
) -> Result<Length, TomlFileError> {
    match lengths {
        Lengths::Drawn { prompt, output } => {
            let zero = |it: &LengthsOf| match *it {
                LengthsOf::Fixed(tokens) => tokens == 0,
                LengthsOf::Lognormal { max, .. } | LengthsOf::Geometric { max, .. } => max == 0,
            };
            if zero(prompt) || zero(output) {
                return Err(resolver.error(section, "prompts and answers have at least one token"));
            }
            Ok(Length::Drawn(*prompt, *output))
        }
        Lengths::Rows { csv, prompt, output, in_order } => {
            let tokens = |value: f64| {
                let whole = value.round().clamp(1.0, f64::from(u32::MAX));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "clamped"
                )]
                let whole = whole as u32;
                whole
            };
            let rows = columns(resolver, csv, &[prompt, output])?;
            let rows = rows.iter().map(|row| (tokens(row[0]), tokens(row[1]))).collect();
            Ok(Length::Rows(rows, *in_order))
        }
    }
}

/// Columns of a CSV file with a head line; at least one row.
fn columns(
    resolver: &Resolver<'_>,
    file: &Spanned<String>,
    names: &[&String],
) -> Result<Vec<Vec<f64>>, TomlFileError> {
    let text = resolver.read(file)?;
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap_or_default().split(',').map(str::trim).collect();
    let place = |name: &&String| {
        head.iter().position(|column| column == name).ok_or_else(|| {
            let message = format!("{:?} has no column {name:?}, only {head:?}", file.get_ref());
            resolver.error(file, message)
        })
    };
    let places = names.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let row = |(line, row): (usize, &str)| {
        let cells: Vec<&str> = row.split(',').collect();
        let numbers = places.iter().map(|place| cells.get(*place)?.trim().parse::<f64>().ok());
        numbers
            .collect::<Option<Vec<_>>>()
            .filter(|row| row.iter().all(|it| it.is_finite()))
            .ok_or_else(|| {
                let message = format!("{:?}, line {line}: no numbers in {names:?}", file.get_ref());
                resolver.error(file, message)
            })
    };
    let rows = (2..).zip(lines).filter(|(_, row)| !row.trim().is_empty());
    let rows = rows.map(row).collect::<Result<Vec<_>, _>>()?;
    match rows.is_empty() {
        true => Err(resolver.error(file, format!("{:?} has no row", file.get_ref()))),
        false => Ok(rows),
    }
}

impl Length {
    /// Mean tokens of prompts and of answers.
    #[must_use]
    pub fn means(&self) -> (f64, f64) {
        let of = |it: &LengthsOf| match it {
            LengthsOf::Fixed(tokens) => f64::from(*tokens),
            LengthsOf::Lognormal { median, sigma, max } => {
                (median.get() * (sigma.get().powi(2) / 2.0).exp()).min(f64::from(*max))
            }
            LengthsOf::Geometric { mean, max } => mean.get().min(f64::from(*max)),
        };
        match self {
            Self::Drawn(prompt, output) => (of(prompt), of(output)),
            Self::Rows(rows, _) => {
                let count = rows.len() as f64;
                let sum = |value: fn(&(u32, u32)) -> u32| {
                    rows.iter().map(|row| f64::from(value(row))).sum::<f64>() / count
                };
                (sum(|row| row.0), sum(|row| row.1))
            }
        }
    }
}

impl Workload {
    /// Requests per second on the mean, all turns of conversations counted. People and backlogs ask
    /// as often as answers of 50 ms a token let them.
    #[must_use]
    pub fn asked_per_s(&self) -> f64 {
        let answer_s = self.length.means().1 * TOKEN_S;
        let begun = match &self.arrival {
            Arrival::Gamma(rate, _) | Arrival::Counts(_, _, rate) => *rate,
            Arrival::Mmpp(rates, means) => {
                (rates[0] * means[0] + rates[1] * means[1]) / (means[0] + means[1])
            }
            Arrival::Closed(users, think_s) => f64::from(*users) / (think_s + answer_s),
            Arrival::Backlog(backlog) => f64::from(backlog.start) / answer_s,
            Arrival::At(times) => {
                let span = times.last().copied().unwrap_or(0.0);
                if span > 0.0 { times.len() as f64 / span } else { times.len() as f64 }
            }
        };
        let bound = matches!(self.arrival, Arrival::Closed(..) | Arrival::Backlog(_));
        // Who waits for answers asks no faster for asking in turns.
        begun * self.turns.filter(|_| !bound).map_or(1.0, |turns| turns.mean.get().max(1.0))
    }
}

impl Arrival {
    /// Whether no request ever comes.
    pub(crate) fn is_nothing(&self) -> bool {
        match self {
            Self::Gamma(rate, _) => *rate == 0.0,
            Self::Mmpp(rates, _) => rates.iter().all(|rate| *rate == 0.0),
            Self::Closed(users, _) => *users == 0,
            Self::Backlog(backlog) => backlog.start == 0,
            Self::At(times) => times.is_empty(),
            Self::Counts(..) => false,
        }
    }
}
