//! Folders as nodes write them, made of simulated runs; what is refused of them.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use comity_protocol::telemetry::{self, Event, FORMAT, Head, Line, Pass, Request, Shard};

use super::{Load, Measurement, MeasurementError, TokenTimes};
use crate::{
    capacity::{Measured, Options, simulate},
    fabric::whole,
    random::Random,
    scenario::{SMALL, ScenarioFile},
    world::World,
};

/// A folder that is gone with it.
#[derive(Debug)]
pub(crate) struct Folder(pub(crate) PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("comity-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What a mesh that is as the scenario `truth` says would tell of a run, where `told` is what its
    /// planner took it for.
    pub(crate) fn of(name: &str, told: &str, truth: &str) -> Self {
        let folder = Self::new(name);
        fs::write(folder.0.join(super::SCENARIO), told).unwrap();
        let file = ScenarioFile::parse(Path::new("x.toml"), truth.to_owned()).unwrap();
        let world = World::resolve(&file, None).unwrap();
        let until_s = world.run.duration_s.get() + world.run.warm_up_s.unwrap().get();
        let passes_max = usize::MAX;
        let run =
            simulate(&world, Options { seed: 9, until_s, passes_max, requests_max: u64::MAX });
        for node in 0..world.nodes.len() {
            folder.node(&world, &run, node);
        }
        folder
    }

    fn node(&self, world: &World, run: &Measured, node: usize) {
        let mut lines = begin(world, node);
        let mut random = Random::new(1, node as u64);
        let blocks = world.nodes[node].blocks.unwrap().len();
        for pass in run.passes.iter().filter(|pass| pass.node as usize == node) {
            let took_us = whole((pass.to_ns - pass.from_ns) as f64 / 1e3);
            let (prompt, decode) = (pass.prompt, pass.decode);
            let context = u64::from(decode) * random.below(60);
            let sessions = prompt + decode;
            let event = Event::Pass(Pass {
                shard: 0,
                blocks,
                sessions,
                prompt,
                decode,
                context,
                waited_us: 0,
                took_us,
            });
            lines.push(Line { at_us: pass.to_ns / 1_000, event });
        }
        if node == world.workloads[0].home {
            lines.push(Line { at_us: 1, event: Event::Head(Head { rows: 1, took_us: 1 }) });
            lines.extend(run.samples.iter().map(|sample| request(world, sample)));
        }
        self.write(&world.nodes[node].name, &lines);
    }

    pub(crate) fn write(&self, node: &str, lines: &[Line]) {
        let mut text = String::new();
        for line in lines {
            let _ = writeln!(text, "{}", serde_json::to_string(line).unwrap());
        }
        fs::write(self.0.join(format!("{node}.jsonl")), text).unwrap();
    }

    pub(crate) fn load(&self) -> Result<Measurement, MeasurementError> {
        Measurement::load(&self.0, None)
    }
}

/// The first lines of a node.
fn begin(world: &World, node: usize) -> Vec<Line> {
    let it = &world.nodes[node];
    let blocks = it.blocks.unwrap();
    let peer = format!("peer-{node}");
    let institution = world.institutions[it.institution].name.clone();
    let node = telemetry::Node {
        format: FORMAT,
        began_us: 1_800_000_000_000_000,
        peer,
        institution,
        processors: 2,
        threads: 1,
    };
    let shard = Shard {
        model: "00".into(),
        start: blocks.start(),
        end: blocks.end(),
        hidden_bytes: 1_024,
        kv_positions: 12_345,
    };
    [Event::Node(node), Event::Shard(shard)].map(|event| Line { at_us: 0, event }).into()
}

fn request(world: &World, sample: &crate::capacity::Sample) -> Line {
    let us = |seconds: f64| whole((seconds * 1e6).round());
    let last = sample.first_s + sample.token_s * (f64::from(sample.output) - 1.0);
    // Two ways of 4 ms, and of 600 bytes at a gigabit, beside what software adds.
    let (hop, step) = world.network.software;
    let open = world.router.open_ms.get() * 1e3 + 8_000.0 + 2.0 * 4.8;
    let round = 8_010 + 2 * (hop + step) / 1_000;
    let closes = world.router.close_ms.map_or(0, |own| whole(own.get() * 1e3) + round);
    let event = Event::Request(Request {
        stages: 2,
        prompt: sample.prompt,
        reused: 0,
        output: sample.output,
        steps: sample.output,
        open_us: whole(open.round()) + 2 * (hop + step) / 1_000,
        first_us: us(sample.first_s),
        last_us: us(last),
        end_us: us(sample.ended_s - sample.asked_s) + closes,
        moved: 0,
        complete: true,
    });
    Line { at_us: us(sample.ended_s) + closes, event }
}

/// The small scenario with a time that is short and known.
pub(crate) fn timed(seconds: u32) -> String {
    SMALL.replacen(
        "name = \"two\"\n",
        &format!("name = \"two\"\n[run]\nwarm_up_s = 1\nduration_s = {seconds}\nruns = 1\n"),
        1,
    )
}

fn refusal(folder: &Folder) -> String {
    let text = folder.load().unwrap_err().to_string();
    let place = folder.0.to_string_lossy().into_owned();
    text.replace(&place, "FOLDER")
}

#[test]
fn what_is_no_measurement_is_named_with_its_line() {
    let folder = Folder::of("refused", &timed(5), &timed(5));
    assert_eq!(folder.load().unwrap().records.len(), 2);
    let file = folder.0.join("b.jsonl");
    let good = fs::read_to_string(&file).unwrap();
    let third = good.match_indices('\n').nth(1).unwrap().0 + 1;
    let cases = [
        (
            good.replacen("\"format\":1", "\"format\":2,\"new\":0", 1),
            ":1: telemetry of format 2, not 1",
        ),
        (
            good[good.find('\n').unwrap() + 1..].to_owned(),
            ":1: the file does not begin with its node",
        ),
        (String::new(), ":1: the file does not begin with its node"),
        (good.replacen("\"took_us\"", "\"colour\":1,\"took_us\"", 1), ":3: unknown field `colour`"),
        (
            good.replacen("\"shard\":0", "\"shard\":7", 1),
            ":3: a pass over shard 7, which was not told",
        ),
        (format!("{good}{good}"), ": the file begins a second time"),
        (
            format!("{}{}\n", &good[..third], "x".repeat(5_000)),
            ":3: a line of more than 4096 bytes",
        ),
    ];
    for (text, expected) in cases {
        fs::write(&file, text).unwrap();
        let message = refusal(&folder);
        assert!(message.starts_with("FOLDER/b.jsonl:"), "{message}");
        assert!(message.contains(expected), "{message}, not {expected}");
    }
    fs::remove_file(&file).unwrap();
    assert!(refusal(&folder).starts_with("FOLDER/b.jsonl cannot be read: every node"));
    fs::write(folder.0.join(super::SCENARIO), timed(5).replace("mbit", "mbut")).unwrap();
    assert!(refusal(&folder).starts_with("FOLDER/scenario.toml:"));
}

/// A node that was killed while it wrote told all it told before.
#[test]
fn a_last_line_without_an_end_is_not_read() {
    let folder = Folder::of("torn", &timed(5), &timed(5));
    let file = folder.0.join("b.jsonl");
    let whole = folder.load().unwrap().records[1].passes.len();
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, &text[..text.len() - 10]).unwrap();
    assert_eq!(folder.load().unwrap().records[1].passes.len(), whole - 1);
}

#[test]
fn tokens_count_where_they_came() {
    let one = TokenTimes { asked: 0.0, first: 1.0, last: 9.0, end: 9.0, output: 9, complete: true };
    let cut = TokenTimes { last: 11.0, end: 11.0, complete: false, ..one };
    // Of the first, tokens 4 to 9; of the other, which was broken off, 0.8 a second until then.
    let load = Load::between(&[one, cut], 4.5, 11.7);
    assert_eq!(load.answers, 1);
    let tokens = 4.5 + 0.8 * 6.5;
    assert!((load.tokens_per_s - tokens / 7.2).abs() < 1e-9, "{load:?}");
    assert!((load.first_token_s - 1.0).abs() < 1e-9);
    assert!((load.token_s - 1.0).abs() < 1e-9);
}

#[test]
fn requests_that_follow_each_other_are_one_at_a_time() {
    let closed = timed(10).replace("poisson = { per_s = 2.0 }", "closed = { users = 1 }");
    assert!(Folder::of("alone", &closed, &closed).load().unwrap().is_one_at_a_time());
    let two = closed.replace("users = 1", "users = 2");
    assert!(!Folder::of("both", &two, &two).load().unwrap().is_one_at_a_time());
}
