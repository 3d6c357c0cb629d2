//! What nodes tell planners of their timing, and what they do not tell.

use std::{fs, path::Path};

use comity_node::{clock::Clock, node::Node};
use comity_protocol::telemetry::{Event, Line, Pass, Request};
use tokio::time::timeout;

use crate::{
    founded::Founded,
    swarm::{MODEL, PATIENCE, read, request},
};

const PROMPT: &str = "the cat sat on the mat and looked at the other cat that sat there too";
const OUTPUT: u32 = 6;

/// A file's events, after the first line, and its text.
fn told(path: &Path) -> (Vec<Event>, String) {
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<Line> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(matches!(lines[0].event, Event::Node(_)), "{text}");
    (lines.into_iter().skip(1).map(|line| line.event).collect(), text)
}

fn passes(events: &[Event]) -> Vec<Pass> {
    events
        .iter()
        .filter_map(|event| if let Event::Pass(it) = event { Some(*it) } else { None })
        .collect()
}

fn requests(events: &[Event]) -> Vec<Request> {
    let request = |event: &Event| if let Event::Request(it) = event { Some(*it) } else { None };
    events.iter().filter_map(request).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_tell_planners_what_ran_and_nothing_of_what_was_asked() {
    let founded = Founded::new(2, Clock::start().now(), |_| ());
    let files = [0, 1].map(|member| founded.folder(member).with_extension("jsonl"));
    let setup = |member: u8, peers| {
        let mut setup = founded.setup(member, peers);
        setup.models[0].prefix_cache = false;
        setup.threads = Some(1);
        setup.telemetry = Some(files[usize::from(member)].clone());
        setup
    };
    let stage = Node::spawn(setup(1, Vec::new())).await.unwrap();
    let home = Node::spawn(setup(0, stage.control_addresses())).await.unwrap();
    let met = async {
        home.met(&[stage.peer()]).await;
        stage.met(&[home.peer()]).await;
        home.ready(MODEL).await;
    };
    timeout(PATIENCE, met).await.expect("the nodes never met");
    let answer = read(home.generate(request(PROMPT, OUTPUT)).await.unwrap()).await;
    assert_eq!(answer.tokens.len(), OUTPUT as usize, "{:?}", answer.finished.reason);
    home.shutdown().await;
    stage.shutdown().await;

    let [(at_home, home_text), (at_stage, stage_text)] = files.each_ref().map(|file| told(file));
    let [request] = requests(&at_home)[..] else { panic!("one request: {home_text}") };
    assert_eq!((request.stages, request.output, request.steps), (2, OUTPUT, OUTPUT));
    assert_eq!((request.reused, request.moved, request.complete), (0, 0, true));
    let times = [request.open_us, request.first_us, request.last_us, request.end_us];
    assert!(times[0] > 0 && times.is_sorted(), "{times:?}");
    assert_eq!(requests(&at_stage), []);

    // As JSON would have it; a short answer could be found in any number.
    let said = serde_json::to_string(&answer.text).unwrap();
    let positions = u64::from(request.prompt + OUTPUT - 1);
    for (events, text) in [(&at_home, &home_text), (&at_stage, &stage_text)] {
        let shards = events.iter().filter(|event| matches!(event, Event::Shard(_))).count();
        let passes = passes(events);
        assert!(shards == 1 && passes.iter().all(|pass| pass.shard == 0 && pass.blocks == 3));
        let sum = |of: fn(&Pass) -> u32| passes.iter().map(|pass| u64::from(of(pass))).sum::<u64>();
        assert_eq!(sum(|pass| pass.prompt), u64::from(request.prompt), "{text}");
        assert_eq!(sum(|pass| pass.decode), u64::from(OUTPUT) - 1, "{text}");
        let context: u64 = passes.iter().map(|pass| pass.context).sum();
        assert_eq!(context, positions * (positions - 1) / 2, "every position looks back once");
        assert!(passes.iter().all(|pass| pass.sessions == 1 && pass.took_us > 0), "{text}");
        let paths = events.iter().filter(|event| matches!(event, Event::Path(_)));
        assert!(paths.count() > 0, "{text}");
        assert!(!text.contains("cat") && !text.contains(&said), "{text}");
    }
    let heads = at_home.iter().filter_map(|event| match event {
        Event::Head(head) => Some(head.rows),
        _ => None,
    });
    assert_eq!(heads.sum::<u32>(), OUTPUT);
    assert!(!stage_text.contains("member-0"), "a stage does not say for whom it works");
    let bytes = |events: &[Event], sent: bool| {
        let of = |event: &Event| match event {
            Event::Path(path) if sent => Some(path.bytes_sent),
            Event::Path(path) => Some(path.bytes_received),
            _ => None,
        };
        events.iter().filter_map(of).max().unwrap()
    };
    // Prompt rows go to the stage, and one row for each token comes back.
    let row = 4 * 64;
    assert!(bytes(&at_home, true) > row * positions, "{home_text}");
    assert!(bytes(&at_stage, true) > row * u64::from(OUTPUT), "{stage_text}");
    assert!(bytes(&at_stage, false) > row * positions, "{stage_text}");
}
