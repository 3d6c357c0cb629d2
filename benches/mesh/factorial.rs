//! The scenarios of round trip x rate x stages x streams that a simulation is to foresee. Not their
//! running.

use std::{fs, path::Path};

/// Round trips, ms.
const ROUND_TRIPS: [u32; 3] = [2, 20, 80];
/// Rates, Mbit/s.
const RATES: [u32; 3] = [20, 100, 1000];
/// Stages of the ring; the first is also home.
const STAGES: [u32; 2] = [2, 3];
/// People who ask again at once.
const STREAMS: [u32; 3] = [1, 4, 16];
/// Blocks of the default model.
const BLOCKS: u32 = 30;

/// Seconds before what is measured, and of that: until the first prompts, which all come at once, are
/// through, and some answers for each of those who ask.
fn seconds(streams: u32) -> (u32, u32) {
    if streams < 16 { (3, 15) } else { (8, 25) }
}

/// What all of them have.
const BEGIN: &str = r#"
# The default model, SmolLM2-135M-Instruct in Q4_1: 576 values of four bytes between stages.
[[model]]
name = "smollm2-135m"
block_count = 30
hidden_bytes = 2304
block_bytes = 2200000
block_parameters = 3540096
kv_bytes = 768

# In place of what `calibrate` writes: one thread of the machine that runs the nodes.
[[device]]
name = "cpu"
[device.time.measured]
pass_us = 50
block_us = 180
decode_us = 20
prompt_us = 100
context_ns = 10
kv_positions = 100000
blocks_max = 30
head_us = 2000
head_position_us = 1000

# All nodes share it, one thread each.
[[machine]]
name = "here"
processors = 2
"#;

/// Writes all of them into `folder`; how many.
pub(crate) fn write(folder: &Path) -> usize {
    fs::create_dir_all(folder).expect("the folder can be made");
    let mut written = 0;
    for stages in STAGES {
        for streams in STREAMS {
            for round_trip in ROUND_TRIPS {
                for rate in RATES {
                    let name =
                        format!("{stages}-stages-{streams}-streams-{round_trip}ms-{rate}mbit");
                    let text = scenario(&name, stages, streams, (round_trip, rate));
                    let path = folder.join(format!("{name}.toml"));
                    fs::write(path, text).expect("the folder is writable");
                    written += 1;
                }
            }
        }
    }
    written
}

fn scenario(name: &str, stages: u32, streams: u32, (round_trip, rate): (u32, u32)) -> String {
    let (warm_up_s, duration_s) = seconds(streams);
    let run = format!("[run]\nwarm_up_s = {warm_up_s}\nduration_s = {duration_s}\n");
    let mut text = format!("name = \"{name}\"\nseed = 1\n\n{run}{BEGIN}");
    for stage in 1..=stages {
        text.push_str(&format!(
            "\n[[site]]\nname = \"site-{stage}\"\ncountry = \"NL\"\n\n\
             [[institution]]\nname = \"member-{stage}\"\n\n\
             [[node]]\nname = \"stage-{stage}\"\ninstitution = \"member-{stage}\"\n\
             site = \"site-{stage}\"\ndevice = \"cpu\"\nmodel = \"smollm2-135m\"\n\
             blocks = [{}, {}]\nmachine = \"here\"\nthreads = 1\n",
            (stage - 1) * BLOCKS / stages,
            stage * BLOCKS / stages,
        ));
    }
    for one in 1..=stages {
        for other in one + 1..=stages {
            text.push_str(&format!(
                "\n[[link]]\nbetween = [\"site-{one}\", \"site-{other}\"]\n\
                 round_trip_ms = {round_trip}\nrate_mbit = {rate}\n"
            ));
        }
    }
    text.push_str(&format!(
        "\n[[workload]]\ninstitution = \"member-1\"\nhome = \"stage-1\"\nmodel = \"smollm2-135m\"\n\
         arrivals = {{ closed = {{ users = {streams}, think_s = 0 }} }}\n\
         [workload.lengths.drawn]\nprompt = {{ fixed = 128 }}\noutput = {{ fixed = 32 }}\n"
    ));
    text
}
