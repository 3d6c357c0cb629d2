//! The log under crashes, torn tails and full disks.

use std::{io::Write, sync::mpsc as std_mpsc};

use super::{
    frame::{FILE_HEADER, HEADER_BYTES, Header},
    recover::End,
    writer::Storage,
    *,
};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(folder: &Path) -> (Log, Recovered) {
    Log::open(folder).unwrap()
}

fn read(log: &Log) -> Vec<Record> {
    log.records(0).unwrap().collect::<io::Result<_>>().unwrap()
}

/// A folder whose log file holds `bytes`; in memory where possible, because thousands of `fsync`s on
/// a disk take long.
fn folder_with(bytes: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| folder());
    fs::write(folder.path().join(RECORDS_FILE), bytes).unwrap();
    folder
}

/// The bytes of a log with records of these lengths, each its own batch, as a crash leaves it, and
/// where each frame ends.
async fn written(lengths: &[usize]) -> (Vec<u8>, Vec<usize>) {
    let folder = folder();
    let (log, _) = open(folder.path());
    let mut ends = Vec::new();
    for (length, fill) in lengths.iter().zip(1..) {
        let position = log.append(vec![fill; *length]).await.unwrap();
        ends.push(usize::try_from(position.offset).unwrap() + HEADER_BYTES + length);
    }
    // Before the log is closed: no mark of a clean end.
    (fs::read(folder.path().join(RECORDS_FILE)).unwrap(), ends)
}

#[tokio::test]
async fn records_come_back_in_a_gapless_chain_over_restarts() {
    let folder = folder();
    let mut previous = Digest::ZERO;
    for round in 0..3_u64 {
        let (log, recovered) = open(folder.path());
        assert_eq!(recovered, Recovered { records: round * 2, cut_bytes: 0 });
        for number in [round * 2 + 1, round * 2 + 2] {
            let record = number.to_le_bytes().to_vec();
            let digest = Digest::of(&record);
            let position = log.append(record).await.unwrap();
            assert_eq!((position.sequence, position.previous), (number, previous));
            assert_eq!(position.digest, digest);
            previous = digest;
        }
        let records = read(&log);
        assert_eq!(records.len() as u64, round * 2 + 2);
        let last = records.last().unwrap();
        let from: Vec<_> = log.records(last.position.offset).unwrap().map(Result::unwrap).collect();
        assert_eq!(from, std::slice::from_ref(last));
        log.close().await;
    }
}

#[tokio::test]
async fn every_acknowledged_record_survives_a_cut_at_every_byte() {
    let (bytes, ends) = written(&[1, 40, 7, 100, 3]).await;
    for cut in 0..=bytes.len() {
        let folder = folder_with(&bytes[..cut]);
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        let (log, recovered) = open(folder.path());
        assert_eq!(recovered.records, whole as u64, "cut at {cut}");
        let position = log.append(b"next".to_vec()).await.unwrap();
        assert_eq!(position.sequence, whole as u64 + 1, "cut at {cut}");
        log.close().await;
        let (log, recovered) = open(folder.path());
        assert_eq!(recovered, Recovered { records: whole as u64 + 1, cut_bytes: 0 });
        let records = read(&log);
        for (record, fill) in records.iter().zip(1..).take(whole) {
            assert!(record.bytes.iter().all(|&byte| byte == fill));
        }
        assert_eq!(records[whole].bytes, b"next");
    }
}

#[tokio::test]
async fn damage_before_acknowledged_data_is_an_error_wherever_it_is() {
    let (bytes, ends) = written(&[5, 9, 4]).await;
    for at in FILE_HEADER.len()..ends[1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let folder = folder_with(&damaged);
        let error = Log::open(folder.path()).unwrap_err();
        let OpenLogError::Corrupt { offset, sequence, .. } = error else { panic!("{error}") };
        let (start, before) = if at < ends[0] { (FILE_HEADER.len(), 0) } else { (ends[0], 1) };
        assert_eq!((offset, sequence), (start as u64, before), "damage at {at}");
        assert_eq!(fs::read(folder.path().join(RECORDS_FILE)).unwrap(), damaged, "left alone");
    }
}

#[tokio::test]
async fn a_clean_end_protects_the_last_record_too() {
    let folder = folder();
    let (log, _) = open(folder.path());
    let position = log.append(b"last".to_vec()).await.unwrap();
    log.close().await;
    let path = folder.path().join(RECORDS_FILE);
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(position.offset).unwrap() + HEADER_BYTES] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(Log::open(folder.path()), Err(OpenLogError::Corrupt { sequence: 0, .. })));
}

#[tokio::test]
async fn a_batch_torn_in_the_middle_is_cut_there() {
    let (mut bytes, _) = written(&[5]).await;
    let durable = bytes.len();
    let (mut previous, mut ends) = (Digest::of(&[1; 5]), Vec::new());
    for sequence in 2..=4_u64 {
        let payload = [u8::try_from(sequence).unwrap(); 30];
        Header { sequence, durable: durable as u64, previous }.encode(&payload, &mut bytes);
        previous = Digest::of(&payload);
        ends.push(bytes.len());
    }
    // The middle page of the batch never reached the disk.
    bytes[ends[0] + 4..ends[1] - 4].fill(0);
    let folder = folder_with(&bytes);
    let (log, recovered) = open(folder.path());
    assert_eq!(recovered, Recovered { records: 2, cut_bytes: (bytes.len() - ends[0]) as u64 });
    assert_eq!(log.append(b"x".to_vec()).await.unwrap().sequence, 3);
}

#[tokio::test]
async fn a_frame_that_does_not_continue_the_chain_is_an_error() {
    let (bytes, _) = written(&[5]).await;
    let right = (2, Digest::of(&[1; 5]));
    for (sequence, previous) in [(3, right.1), (1, right.1), (2, Digest::ZERO)] {
        let mut bytes = bytes.clone();
        Header { sequence, durable: 0, previous }.encode(b"forged", &mut bytes);
        let error = Log::open(folder_with(&bytes).path()).unwrap_err();
        assert!(matches!(error, OpenLogError::Corrupt { sequence: 1, .. }), "{error}");
    }
    let foreign = folder_with(b"something else entirely");
    assert!(matches!(Log::open(foreign.path()), Err(OpenLogError::Foreign { .. })));
}

#[tokio::test]
async fn a_second_daemon_is_refused_until_the_first_is_gone() {
    let folder = folder();
    let (log, _) = open(folder.path());
    let error = Log::open(folder.path()).unwrap_err();
    assert!(matches!(error, OpenLogError::Locked(_)), "{error}");
    assert!(error.to_string().contains(folder.path().to_str().unwrap()), "{error}");
    let other = log.clone();
    log.close().await;
    assert_eq!(other.append(b"late".to_vec()).await, Err(AppendError::Closed));
    open(folder.path());
}

#[tokio::test]
async fn appends_at_once_get_every_number_once() {
    let folder = folder();
    let (log, _) = open(folder.path());
    let appends = (0..500_u32).map(|number| {
        log.append_with(move |sequence, previous| {
            // What a signer does: the record names its own place.
            Some([&sequence.to_le_bytes()[..], &previous.0, &number.to_le_bytes()].concat())
        })
    });
    futures::future::join_all(appends).await.into_iter().for_each(|result| {
        result.unwrap();
    });
    for (record, sequence) in read(&log).iter().zip(1_u64..) {
        assert_eq!(record.position.sequence, sequence);
        assert_eq!(record.bytes[..8], sequence.to_le_bytes());
        assert_eq!(record.bytes[8..40], record.position.previous.0);
    }
}

#[tokio::test]
async fn a_record_not_made_or_of_no_length_uses_no_number() {
    let folder = folder();
    let (log, _) = open(folder.path());
    assert_eq!(log.append_with(|_, _| None).await, Ok(None));
    for length in [0, RECORD_BYTES_MAX + 1] {
        assert_eq!(log.append(vec![1; length]).await, Err(AppendError::Length(length)));
    }
    assert_eq!(log.append(vec![1; RECORD_BYTES_MAX]).await.unwrap().sequence, 1);
    assert_eq!(log.append(b"x".to_vec()).await.unwrap().sequence, 2);
}

/// A disk that asks the test before it writes and syncs.
struct Disk {
    write: io::Result<()>,
    syncing: std_mpsc::Sender<()>,
    synced: std_mpsc::Receiver<io::Result<()>>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.write {
            Ok(()) => Ok(bytes.len()),
            Err(error) => Err(error.kind().into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Storage for Disk {
    fn sync(&mut self) -> io::Result<()> {
        let _ = self.syncing.send(());
        self.synced.recv().unwrap_or(Ok(()))
    }
}

/// A log over a [`Disk`], and the test's end of its `fsync`.
fn log_on(
    write: io::Result<()>,
) -> (Log, std_mpsc::Receiver<()>, std_mpsc::Sender<io::Result<()>>) {
    let (syncing, asked) = std_mpsc::channel();
    let (answer, synced) = std_mpsc::channel();
    let end = End { sequence: 0, digest: Digest::ZERO, offset: 8, cut_bytes: 0 };
    let durable = Arc::new(AtomicU64::new(8));
    let disk = Disk { write, syncing, synced };
    let file = || tempfile::tempfile().unwrap();
    let (grown, tree) = watch::channel(Frontier::default());
    let progress = Progress { durable: Arc::clone(&durable), grown };
    let writer = Writer::new(disk, end, Tree::new(file()), progress, file());
    let (messages, inbox) = mpsc::channel(APPENDS_CAPACITY);
    std::thread::spawn(move || writer.run(inbox));
    (Log { messages, folder: Path::new("none").into(), durable, tree }, asked, answer)
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable_and_many_share_one_sync() {
    let (log, asked, answer) = log_on(Ok(()));
    let mut first = Box::pin(log.append(b"first".to_vec()));
    assert!(futures::poll!(&mut first).is_pending());
    asked.recv().unwrap();
    // The thread is inside fsync: these wait for the next one together.
    let mut others: Vec<_> = (0..20).map(|_| Box::pin(log.append(b"other".to_vec()))).collect();
    for other in &mut others {
        assert!(futures::poll!(other).is_pending());
    }
    assert!(futures::poll!(&mut first).is_pending(), "acknowledged before fsync returned");
    assert_eq!(log.tree().0, 0, "counted before fsync returned");
    answer.send(Ok(())).unwrap();
    first.await.unwrap();
    assert_eq!(log.grown().wait_for(|tree| tree.size() > 0).await.unwrap().size(), 1);
    asked.recv().unwrap();
    assert!(futures::poll!(&mut others[0]).is_pending());
    answer.send(Ok(())).unwrap();
    for other in others {
        other.await.unwrap();
    }
    assert!(asked.try_recv().is_err(), "a third fsync for appends that came together");
}

#[tokio::test]
async fn a_full_disk_stops_intake() {
    let (log, asked, _answer) = log_on(Err(io::ErrorKind::StorageFull.into()));
    let full = Err(AppendError::Failed(io::ErrorKind::StorageFull));
    assert_eq!(log.append(b"first".to_vec()).await.map(Some), full);
    let unreached = |_, _| unreachable!("nothing is signed for a log that is closed");
    assert_eq!(log.append_with(unreached).await, full);
    log.close().await;
    assert!(asked.try_recv().is_err(), "no fsync, and no mark of a clean end");
}

/// Set in the process that is to die.
const DIE: &str = "COMITY_TEST_FAILING_FSYNC";

#[tokio::test]
async fn a_failed_fsync_ends_the_process() {
    use std::os::unix::process::ExitStatusExt as _;
    if std::env::var_os(DIE).is_some() {
        let (log, _asked, answer) = log_on(Ok(()));
        answer.send(Err(io::ErrorKind::Other.into())).unwrap();
        let _ = log.append(b"lost".to_vec()).await;
        return;
    }
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "log::tests::a_failed_fsync_ends_the_process"])
        .env(DIE, "1")
        .output()
        .unwrap()
        .status;
    assert_eq!(status.signal(), Some(6), "SIGABRT expected, got {status}");
}
