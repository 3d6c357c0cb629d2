//! What the file holds, and what is dropped.

use std::fs;

use comity_protocol::telemetry::Head;

use super::*;

fn head(rows: u32) -> Event {
    Event::Head(Head { rows, took_us: 1 })
}

fn rows(path: &Path) -> Vec<u32> {
    let text = fs::read_to_string(path).unwrap();
    let row = |line: &str| match serde_json::from_str::<Line>(line).unwrap().event {
        Event::Head(head) => head.rows,
        other => panic!("{other:?}"),
    };
    text.lines().map(row).collect()
}

/// A writer that ended at the sign, and not behind what was told before it, would lose the end.
#[tokio::test]
async fn all_that_was_told_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.jsonl");
    let telemetry = Telemetry::create(&path).unwrap();
    (0..1_000).for_each(|rows| telemetry.tell(head(rows)));
    assert_eq!(telemetry.dropped(), 0);
    telemetry.close().await;
    assert_eq!(rows(&path), (0..1_000).collect::<Vec<_>>());
}

/// A file of an earlier start would mix two clocks, and one that others read tells who works when.
#[tokio::test]
async fn a_file_that_is_there_is_replaced_and_closed_to_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("told.jsonl");
    fs::write(&path, "another\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let telemetry = Telemetry::create(&path).unwrap();
    telemetry.tell(head(7));
    telemetry.close().await;
    assert_eq!(rows(&path), [7]);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// Whoever computes must not wait for a disk.
#[test]
fn what_does_not_fit_is_dropped_and_counted() {
    let (queue, lines) = sync_channel(2);
    let shared = Shared {
        began: Instant::now(),
        began_us: 0,
        queue,
        dropped: AtomicU64::new(0),
        closing: Arc::default(),
        thread: Mutex::new(None),
    };
    let telemetry = Telemetry { shared: Arc::new(shared) };
    (0..5).for_each(|rows| telemetry.tell(head(rows)));
    assert_eq!(telemetry.dropped(), 3);
    assert_eq!(lines.try_iter().map(|line| line.event).collect::<Vec<_>>(), [head(0), head(1)]);
}
