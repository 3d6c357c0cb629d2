//! The lines of one node's file. Not what they mean.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::Path,
};

use comity_protocol::telemetry::{Event, FORMAT, Line};

use super::{MeasurementError, Record};

/// Longest file that is read: an hour of a thousand passes a second.
const FILE_BYTES_MAX: u64 = 1 << 30;
/// Longest line: a peer's and an institution's names are its only parts without a fixed length.
const LINE_BYTES_MAX: u64 = 4_096;

/// Reads what a node told. A last line that its writer did not end is not part of it.
pub(super) fn read(path: &Path) -> Result<Record, MeasurementError> {
    let failed = |source| MeasurementError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.len() > FILE_BYTES_MAX {
        return Err(MeasurementError::TooLong { path: path.to_owned(), most: FILE_BYTES_MAX });
    }
    // It may still grow.
    let mut input = BufReader::new(file.take(FILE_BYTES_MAX));
    let (mut bytes, mut record) = (Vec::new(), None);
    for number in 1.. {
        let wrong = |message: String| MeasurementError::Line {
            path: path.to_owned(),
            line: number,
            message,
        };
        bytes.clear();
        let taken = (&mut input).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        let taken = taken.map_err(failed)?;
        if bytes.last() != Some(&b'\n') {
            if taken as u64 == LINE_BYTES_MAX {
                return Err(wrong(format!("a line of more than {LINE_BYTES_MAX} bytes")));
            }
            break;
        }
        let Some(record) = &mut record else {
            record = Some(first(&bytes).map_err(wrong)?);
            continue;
        };
        let line: Line = serde_json::from_slice(&bytes).map_err(|error| wrong(reason(&error)))?;
        add(record, line).map_err(wrong)?;
    }
    record.ok_or_else(|| MeasurementError::Line {
        path: path.to_owned(),
        line: 1,
        message: "the file does not begin with its node".to_owned(),
    })
}

/// The line that says who writes.
fn first(bytes: &[u8]) -> Result<Record, String> {
    // Another format may have other keys: what is wrong with it is its number.
    let value: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    let format = value.and_then(|value| value.pointer("/event/node/format")?.as_u64());
    if let Some(format) = format.filter(|format| *format != u64::from(FORMAT)) {
        return Err(format!("telemetry of format {format}, not {FORMAT}"));
    }
    let line: Line = serde_json::from_slice(bytes).map_err(|error| reason(&error))?;
    let Event::Node(node) = line.event else {
        return Err("the file does not begin with its node".to_owned());
    };
    Ok(Record {
        node,
        shards: Vec::new(),
        passes: Vec::new(),
        heads: Vec::new(),
        paths: Vec::new(),
        requests: Vec::new(),
    })
}

fn add(record: &mut Record, Line { at_us: at, event }: Line) -> Result<(), String> {
    match event {
        Event::Node(_) => return Err("the file begins a second time".to_owned()),
        Event::Shard(shard) => record.shards.push(shard),
        Event::Pass(pass) if pass.shard as usize >= record.shards.len() => {
            return Err(format!("a pass over shard {}, which was not told", pass.shard));
        }
        Event::Pass(pass) => record.passes.push((at, pass)),
        Event::Head(head) => record.heads.push((at, head)),
        Event::Path(path) => record.paths.push((at, path)),
        Event::Request(request) => record.requests.push((at, request)),
        other => return Err(format!("an event that this program does not know: {other:?}")),
    }
    Ok(())
}

/// What is wrong, without the place within the line, which is always line 1 of it.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}
