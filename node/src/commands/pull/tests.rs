//! Pulls from a hub made of a script and from wheels made here; nothing leaves the machine.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt as _,
    thread::JoinHandle,
};

use zip::write::SimpleFileOptions;

use super::*;

/// A model of a few bytes, known as `bytes`, fetched as one package of two halves.
fn model(bytes: &[u8]) -> &'static Model {
    let half = bytes.len() / 2;
    let part = |package: &'static str, bytes: u64| Part {
        package,
        version: "1.0",
        member: "data/model.gguf",
        bytes,
    };
    let parts = vec![part("one", half as u64), part("two", (bytes.len() - half) as u64)];
    Box::leak(Box::new(Model {
        name: "tiny",
        licence: "none",
        bytes: bytes.len() as u64,
        sha256: Digest::of(bytes).to_string().leak(),
        repository: "org/repo",
        file: "model.gguf",
        parts: parts.leak(),
    }))
}

/// Answers one request per answer; yields the requests' heads.
fn hub(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let heads = thread::spawn(move || {
        let mut heads = Vec::new();
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let head = BufReader::new(&stream).lines().map_while(Result::ok);
            heads.push(head.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n"));
            stream.write_all(&answer).unwrap();
        }
        heads
    });
    (base, heads)
}

/// An answer that promises `length` bytes and sends `body`.
fn answer(status: &str, length: usize, range: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{range}\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A stand-in for Python: brings wheels named after the package, or says `complaint`.
fn python(folder: &Path, wheels: &[(&str, &str, &[u8])], complaint: &str) -> PathBuf {
    for (package, member, bytes) in wheels {
        let file = File::create(folder.join(format!("{package}.whl"))).unwrap();
        let mut archive = zip::ZipWriter::new(file);
        archive.start_file(*member, SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
        archive.finish().unwrap();
    }
    let path = folder.join("python3");
    let script = format!(
        "#!/bin/sh\nwhile [ \"$1\" != --dest ]; do shift; done\necho '{complaint}' >&2\n\
         cp {}/\"${{3%%==*}}\".whl \"$2\"\n",
        folder.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    path
}

struct Place {
    folder: tempfile::TempDir,
    cache: Cache,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("cache"));
        Self { folder, cache }
    }

    fn pull(
        &self,
        model: &'static Model,
        hub: Option<String>,
        python: PathBuf,
    ) -> Result<PathBuf, PullError> {
        let sources = Sources { hub, python };
        pull(&self.cache, &sources, model, &mut Silent, &CancellationToken::new())
    }

    /// Everything below the cache but lock files, which are empty and stay.
    fn left(&self) -> Vec<PathBuf> {
        let folders = ["models", "temp"].map(|name| self.folder.path().join("cache").join(name));
        let entries = folders.iter().filter_map(|folder| fs::read_dir(folder).ok()).flatten();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths.filter(|path| path.extension().is_none_or(|end| end != "lock")).collect()
    }
}

const BYTES: &[u8] = b"GGUF and twenty-one more";

#[test]
fn hub_brings_the_model_and_the_next_pull_asks_nobody() {
    let (place, model) = (Place::new(), model(BYTES));
    let (base, heads) = hub(vec![answer("200 OK", BYTES.len(), "", BYTES)]);
    let path = place.pull(model, Some(base), "/no/python".into()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), BYTES);
    assert!(heads.join().unwrap()[0].starts_with("GET /org/repo/resolve/main/model.gguf "));
    assert_eq!(place.pull(model, None, "/no/python".into()).unwrap(), path);
    assert_eq!(place.left(), [path]);
}

#[test]
fn broken_transfer_is_resumed_where_it_stopped() {
    let (place, model) = (Place::new(), model(BYTES));
    let rest = "Content-Range: bytes 10-23/24\r\n";
    let (base, heads) = hub(vec![
        answer("200 OK", BYTES.len(), "", &BYTES[..10]),
        answer("206 Partial Content", BYTES.len() - 10, rest, &BYTES[10..]),
    ]);
    let path = place.pull(model, Some(base), "/no/python".into()).unwrap();
    assert_eq!(fs::read(path).unwrap(), BYTES);
    assert!(heads.join().unwrap()[1].to_lowercase().contains("range: bytes=10-"));
}

#[test]
fn hub_that_cannot_resume_starts_over() {
    let (place, model) = (Place::new(), model(BYTES));
    fs::create_dir_all(place.cache.partial("tiny").parent().unwrap()).unwrap();
    fs::write(place.cache.partial("tiny"), b"of some other pull").unwrap();
    let (base, _heads) = hub(vec![answer("200 OK", BYTES.len(), "", BYTES)]);
    let path = place.pull(model, Some(base), "/no/python".into()).unwrap();
    assert_eq!(fs::read(path).unwrap(), BYTES);
}

#[test]
fn wrong_digest_leaves_nothing_behind_and_names_both_digests() {
    let (place, model) = (Place::new(), model(BYTES));
    let wrong = vec![b'x'; BYTES.len()];
    let (base, _heads) = hub(vec![answer("200 OK", wrong.len(), "", &wrong)]);
    let half = &wrong[..BYTES.len() / 2];
    let wheels = [("one", "data/model.gguf", half), ("two", "data/model.gguf", half)];
    let python = python(place.folder.path(), &wheels, "");
    let error = place.pull(model, Some(base), python).unwrap_err().to_string();
    for part in ["the hub", "the package", model.sha256, &Digest::of(&wrong).to_string()] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(place.left(), [] as [PathBuf; 0]);
}

#[test]
fn wrong_length_from_the_hub_is_refused_before_its_bytes() {
    let (place, model) = (Place::new(), model(BYTES));
    let (base, _heads) = hub(vec![answer("200 OK", 1 << 40, "", BYTES)]);
    let error = place.pull(model, Some(base), "/no/python".into()).unwrap_err().to_string();
    assert!(error.contains("offers 1099511627776 bytes where 24 were expected"), "{error}");
    assert!(error.contains("/no/python is not there"), "{error}");
    assert_eq!(place.left(), [] as [PathBuf; 0]);
}

#[test]
fn packages_are_joined_in_order_and_clear_up_after_themselves() {
    let (place, model) = (Place::new(), model(BYTES));
    let (first, second) = BYTES.split_at(BYTES.len() / 2);
    let wheels = [("one", "data/model.gguf", first), ("two", "data/model.gguf", second)];
    let python = python(place.folder.path(), &wheels, "");
    let path = place.pull(model, None, python).unwrap();
    assert_eq!(fs::read(&path).unwrap(), BYTES);
    assert_eq!(place.left(), [path]);
}

#[test]
fn wheel_that_is_not_what_it_should_be_is_refused() {
    let model = model(BYTES);
    let cases: [(&str, &[u8], &str); 3] = [
        ("../data/model.gguf", &BYTES[..12], "lacks data/model.gguf"),
        ("data/model.gguf", &[0; 100_000], "holds 100000 bytes where 12 were expected"),
        ("data/model.gguf", b"", "holds 0 bytes where 12 were expected"),
    ];
    for (member, bytes, expected) in cases {
        let place = Place::new();
        let python = python(place.folder.path(), &[("one", member, bytes)], "");
        let error = place.pull(model, None, python).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(place.left(), [] as [PathBuf; 0]);
    }
}

#[test]
fn failures_of_pip_are_told_apart() {
    let model = model(BYTES);
    let cases = [
        ("/usr/bin/python3: No module named pip", "Python has no pip"),
        ("WARNING: NewConnectionError\nERROR: No matching x", "no package index can be reached"),
        ("ERROR: No matching distribution", "pip did not bring one: No matching distribution"),
        ("OSError: No space left on device", "the disk is full"),
    ];
    for (complaint, expected) in cases {
        let place = Place::new();
        // It brings no wheel, so its copy fails and so does it.
        let python = python(place.folder.path(), &[], complaint);
        let error = place.pull(model, None, python).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        assert_eq!(place.left(), [] as [PathBuf; 0]);
    }
}

#[test]
fn cancelled_pull_ends_pip_and_leaves_nothing() {
    let (place, model) = (Place::new(), model(BYTES));
    let python = place.folder.path().join("python3");
    fs::write(&python, "#!/bin/sh\nexec sleep 600\n").unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o700)).unwrap();
    let sources = Sources { hub: None, python };
    let cancel = CancellationToken::new();
    let canceller = cancel.clone();
    let temp = place.folder.path().join("cache/temp/tiny/one");
    let waiter = thread::spawn(move || {
        while !temp.exists() {
            thread::yield_now();
        }
        canceller.cancel();
    });
    let error = pull(&place.cache, &sources, model, &mut Silent, &cancel).unwrap_err();
    waiter.join().unwrap();
    assert!(matches!(error, PullError::Cancelled), "{error}");
    assert_eq!(place.left(), [] as [PathBuf; 0]);
}

#[test]
fn damaged_copy_in_the_cache_is_fetched_again() {
    let (place, model) = (Place::new(), model(BYTES));
    let path = place.cache.model("tiny");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, b"GGUF, but damaged").unwrap();
    let (base, _heads) = hub(vec![answer("200 OK", BYTES.len(), "", BYTES)]);
    place.pull(model, Some(base), "/no/python".into()).unwrap();
    assert_eq!(fs::read(&path).unwrap(), BYTES);
}

#[test]
fn path_must_lead_to_a_gguf_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    };
    assert!(check_file(&file("good", b"GGUF....")).is_ok());
    for bytes in [&b"GGU"[..], b"", b"ELF....."] {
        let error = check_file(&file("bad", bytes)).unwrap_err();
        assert!(matches!(error, PullError::NotGguf { .. }), "{error}");
    }
    let error = check_file("smollm3").unwrap_err().to_string();
    assert!(error.contains("known model (smollm2-135m, gemma3-270m)"), "{error}");
    let error = check_file("./missing.gguf").unwrap_err();
    assert!(matches!(error, PullError::Read { .. }), "{error}");
}

#[test]
fn catalogue_is_consistent() {
    for model in MODELS {
        model.sha256.parse::<Digest>().unwrap();
        assert_eq!(model.parts.iter().map(|part| part.bytes).sum::<u64>(), model.bytes);
    }
}
