//! Cosignatures: one of the public network, our own, and what is refused.

use super::*;
use crate::log::{
    checkpoint::{self, Checkpoint},
    note::unbase64,
};

const NOW: Timestamp = Timestamp::from_ms(1_800_000_000_999);
const GENESIS: Digest = Digest([9; 32]);

/// A checkpoint of a Certificate Transparency log, cosigned by a witness of the public network. The
/// other lines are of keys unknown here, two of them of other kinds.
const PUBLIC: &str = "arche2025h1.staging.ct.transparency.dev
1432088532
U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=

— arche2025h1.staging.ct.transparency.dev zTM8sQAAAZ5W0WdjBAMARjBEAiBjW5IQf9pvsYLfQFX6hoGREPMHbdQ3\
    urbllzalApkptQIgIpwtEroeW2BXaHAI4kJXFbon5Ch9MNL5zRNZ55lvGt0=
— arche2025h1.staging.ct.transparency.dev ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI7\
    5MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=
— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5\
    hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==
— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5\
    XeU/zZ0WBxtqB0DrAWfBw==
";

fn public_key(key: &str) -> PeerKey {
    PeerKey(unbase64(key).unwrap()[1..].try_into().unwrap())
}

fn witness() -> (Key, NodeKey) {
    let secret = NodeKey::from_seed(&[5; 32]);
    (key(&GENESIS, "alba", secret.public()), secret)
}

fn checkpoint() -> Note {
    let node = NodeKey::from_seed(&[3; 32]);
    let origin = checkpoint::origin(&GENESIS, &node.public());
    Checkpoint { origin, size: 42, root: Digest([7; 32]) }.sign(&node).unwrap()
}

#[test]
fn a_cosignature_of_the_public_network_holds() {
    let log = public_key("AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f");
    let log = Key::new("arche2025h1.staging.ct.transparency.dev", log, Scheme::Note);
    let witness = public_key("BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2");
    let witness = Key::new("remora.n621.de", witness, Scheme::Cosignature);
    let note = Note::parse(PUBLIC).unwrap();
    assert_eq!(note.to_string(), PUBLIC);
    let valid = note.verify(&[log.clone(), witness.clone()]).unwrap();
    let seconds: Vec<_> = valid.iter().map(|valid| (valid.key, valid.seconds)).collect();
    assert_eq!(seconds, [(0, None), (1, Some(0x6a12_2120))]);
    assert_eq!(Checkpoint::open(&note, &log).unwrap().size, 1_432_088_532);
    let grown = Note::parse(&PUBLIC.replace("1432088532", "1432088533")).unwrap();
    let refused = Err(NoteError::Signature("remora.n621.de".into()));
    assert_eq!(grown.verify(&[witness]), refused);
}

#[test]
fn the_signed_message_is_the_one_of_the_specification() {
    let body =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let expected = format!("cosignature/v1\ntime 1679315147\n{body}");
    assert_eq!(message(1_679_315_147, body), expected);
}

#[test]
fn a_cosignature_is_added_once_and_its_time_is_whole_seconds() {
    let (key, secret) = witness();
    assert_eq!(key.name(), format!("comity/witness/{}/alba", "09".repeat(32)));
    let mut note = checkpoint();
    let line = sign(&note, &key, &secret, NOW).to_string();
    assert!(line.len() <= crate::limits::NOTE_LINE_BYTES_MAX);
    let at = Timestamp::from_ms(1_800_000_000_000);
    assert_eq!(add(&mut note, &line, &key, NOW), Ok(at));
    assert_eq!(add(&mut note, &line, &key, NOW), Ok(at));
    assert_eq!(note.to_string(), format!("{}{line}", checkpoint()));
    let seconds = at.as_ms() / 1_000;
    assert_eq!(note.verify(&[key]).unwrap()[0].seconds, Some(seconds));
}

#[test]
fn a_line_that_does_not_hold_is_not_added() {
    let (key, secret) = witness();
    let refuses = |line: &str| {
        let mut note = checkpoint();
        let refused = add(&mut note, line, &key, NOW);
        assert_eq!(note, checkpoint());
        refused.unwrap_err()
    };
    let good = sign(&checkpoint(), &key, &secret, NOW);
    let name = key.name().to_owned();
    let false_line = CosignatureError::Note(NoteError::Signature(name));
    // Over another text, with another time, by another key under this name, with a time past 63 bits.
    let other = Note::sign("another\n", "a", &secret).unwrap();
    assert_eq!(refuses(&sign(&other, &key, &secret, NOW).to_string()), false_line);
    let [bytes, later] = [0, 1].map(|bit| {
        let base64 = good.to_string();
        let mut bytes = unbase64(base64.trim_end().rsplit_once(' ').unwrap().1).unwrap();
        bytes[11] ^= bit;
        bytes
    });
    assert_eq!(Line::new(&key, bytes[4..].to_vec()), good);
    assert_eq!(refuses(&Line::new(&key, later[4..].to_vec()).to_string()), false_line);
    let stranger = NodeKey::from_seed(&[6; 32]);
    assert_eq!(refuses(&sign(&checkpoint(), &key, &stranger, NOW).to_string()), false_line);
    let seconds = 1_u64 << 63;
    let signature = secret.sign_text(&message(seconds, checkpoint().text()));
    let line = Line::new(&key, [&seconds.to_be_bytes()[..], &signature].concat());
    assert_eq!(refuses(&line.to_string()), false_line);
    // Under another name, and by a key of the other scheme.
    let unsigned = CosignatureError::Note(NoteError::Unsigned);
    let other = super::key(&GENESIS, "brig", secret.public());
    assert_eq!(refuses(&sign(&checkpoint(), &other, &secret, NOW).to_string()), unsigned);
    let note = Note::sign(checkpoint().text(), key.name(), &secret).unwrap().to_string();
    assert_eq!(refuses(note.rsplit_once("\n\n").unwrap().1), unsigned);
    assert!(matches!(refuses("no line"), CosignatureError::Note(NoteError::Malformed(_))));
    // What the note holds already says nothing about the line.
    let mut cosigned = checkpoint();
    cosigned.add(good).unwrap();
    let before = cosigned.clone();
    let line = sign(&checkpoint(), &other, &secret, NOW).to_string();
    assert_eq!(add(&mut cosigned, &line, &key, NOW), Err(unsigned));
    assert_eq!(cosigned, before);
}

#[test]
fn a_cosignature_of_the_future_is_refused() {
    let (key, secret) = witness();
    let mut note = checkpoint();
    let ahead = NOW + CLOCK_SKEW_MAX;
    let line = sign(&note, &key, &secret, ahead).to_string();
    assert!(add(&mut note, &line, &key, NOW).is_ok());
    let mut note = checkpoint();
    let year = NOW + std::time::Duration::from_secs(365 * 86_400);
    let line = sign(&note, &key, &secret, year).to_string();
    let at = Timestamp::from_ms(year.as_ms() / 1_000 * 1_000);
    assert_eq!(add(&mut note, &line, &key, NOW), Err(CosignatureError::Future { at, now: NOW }));
    assert_eq!(note, checkpoint());
    // A clock that is an hour behind makes an old cosignature, which is one all the same.
    let behind = Timestamp::from_ms(NOW.as_ms() - 3_600_000);
    let line = sign(&note, &key, &secret, behind).to_string();
    assert!(add(&mut note, &line, &key, NOW).is_ok());
}
