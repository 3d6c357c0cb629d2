//! Notes against those published, and against notes that must not be believed.

use super::*;

/// Key and note of the tests of Go's package sumdb/note.
const PETER_SEED: &str = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const PETER_PUBLIC: &str = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ENOCH_PUBLIC: &str = "ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop";
const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n";
const PETER: &str = "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p\
    ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
const ENOCH: &str = "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5o\
    vTG01oOTGwnWLox33WWd1RvMc+QQ=\n";

/// The 32 bytes behind the scheme's byte of a published key.
fn published(key: &str) -> [u8; 32] {
    unbase64(key).unwrap()[1..].try_into().unwrap()
}

fn peter() -> Key {
    Key::new("PeterNeumann", crate::id::PeerKey(published(PETER_PUBLIC)), Scheme::Note)
}

fn enoch() -> Key {
    Key::new("EnochRoot", crate::id::PeerKey(published(ENOCH_PUBLIC)), Scheme::Note)
}

fn note(lines: &str) -> Note {
    Note::parse(&format!("{TEXT}\n{lines}")).unwrap()
}

fn verify(lines: &str, keys: &[Key]) -> Result<Vec<usize>, NoteError> {
    let valid = note(lines).verify(keys)?;
    assert!(valid.iter().all(|valid| valid.seconds.is_none()));
    Ok(valid.iter().map(|valid| valid.key).collect())
}

#[test]
fn ids_and_signatures_are_those_published() {
    assert_eq!(hex::encode(peter().id()), "c74f20a3");
    assert_eq!(hex::encode(enoch().id()), "af0cfe78");
    let key = NodeKey::from_seed(&published(PETER_SEED));
    assert_eq!(key.public().0, published(PETER_PUBLIC));
    let signed = Note::sign(TEXT, "PeterNeumann", &key).unwrap();
    assert_eq!(signed.to_string(), format!("{TEXT}\n{PETER}"));
}

#[test]
fn one_name_has_another_id_under_another_scheme() {
    // A witness of the public network, whose key is published with its id.
    let key = published("BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2");
    let key = |scheme| Key::new("remora.n621.de", crate::id::PeerKey(key), scheme);
    assert_eq!(hex::encode(key(Scheme::Cosignature).id()), "da77ade7");
    assert_ne!(key(Scheme::Note).id(), key(Scheme::Cosignature).id());
}

#[test]
fn known_keys_are_checked_and_unknown_ones_ignored() {
    let both = format!("{PETER}{ENOCH}");
    assert_eq!(verify(&both, &[peter()]), Ok(vec![0]));
    assert_eq!(verify(&both, &[enoch(), peter()]), Ok(vec![1, 0]));
    assert_eq!(verify(&both, &[]), Err(NoteError::Unsigned));
    assert_eq!(verify(PETER, &[enoch()]), Err(NoteError::Unsigned));
    // A key is known by name and id, not by one of them.
    let renamed = PETER.replace("PeterNeumann", "CarmenSandiego");
    assert_eq!(verify(&renamed, &[peter()]), Err(NoteError::Unsigned));
    let other_id = PETER.replace("x08g", "x08h");
    assert_eq!(verify(&other_id, &[peter()]), Err(NoteError::Unsigned));
    // An unknown key's line may hold anything.
    assert_eq!(verify(&format!("{PETER}— EnochRoot rwz+eAAA\n"), &[peter()]), Ok(vec![0]));
}

#[test]
fn a_false_signature_of_a_known_key_makes_the_note_worthless() {
    let changed = ENOCH.replace("5n2ti", "5n2tj");
    let lines = format!("{PETER}{changed}");
    let refused = Err(NoteError::Signature("EnochRoot".into()));
    assert_eq!(verify(&lines, &[peter(), enoch()]), refused);
    assert_eq!(verify(&lines, &[peter()]), Ok(vec![0]));
    // Also behind one that holds, and if it is too short to be a signature.
    assert_eq!(verify(&format!("{ENOCH}{changed}"), &[enoch()]), refused);
    assert_eq!(verify("— EnochRoot rwz+eAAA\n", &[enoch()]), refused);
    let other_text = Note::parse(&format!("another text\n\n{PETER}")).unwrap();
    assert_eq!(other_text.verify(&[peter()]), Err(NoteError::Signature("PeterNeumann".into())));
}

#[test]
fn a_key_of_small_order_signs_nothing() {
    // The neutral element as key and R, and S = 0: cofactored verification takes it for any text.
    let identity = {
        let mut point = [0; 32];
        point[0] = 1;
        point
    };
    let key = Key::new("small", crate::id::PeerKey(identity), Scheme::Note);
    let signature = [identity, [0; 32]].concat();
    let line = Line::new(&key, signature).to_string();
    assert_eq!(verify(&line, &[key]), Err(NoteError::Signature("small".into())));
}

#[test]
fn of_two_keys_of_one_name_and_id_the_one_counts_that_signed() {
    let secret = |number: u64| {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&number.to_le_bytes());
        NodeKey::from_seed(&seed)
    };
    // Found by trying keys: whoever wants two that look alike has them within a minute.
    let [first, second] = [secret(23_099), secret(65_187)];
    let keys = [&first, &second].map(|key| Key::new("twins", key.public(), Scheme::Note));
    assert_eq!(keys[0].id(), keys[1].id());
    let line = |key: &NodeKey| {
        let note = Note::sign(TEXT, "twins", key).unwrap().to_string();
        note[TEXT.len() + 1..].to_owned()
    };
    let (by_first, by_second) = (line(&first), line(&second));
    assert_eq!(verify(&by_first, &keys), Ok(vec![0]));
    assert_eq!(verify(&by_second, &keys), Ok(vec![1]));
    assert_eq!(verify(&format!("{by_second}{by_first}"), &keys), Ok(vec![1, 0]));
    // Nobody else's lines are touched by it, and who knows one key alone believes no other.
    let [one, two] = keys;
    assert_eq!(verify(PETER, &[one.clone(), two.clone(), peter()]), Ok(vec![2]));
    let refused = Err(NoteError::Signature("twins".into()));
    assert_eq!(verify(&by_second, std::slice::from_ref(&one)), refused);
    let text = Note::parse(&format!("another text\n\n{by_second}")).unwrap();
    assert_eq!(text.verify(&[one, two]), Err(NoteError::Signature("twins".into())));
    assert_eq!(verify(PETER, &[peter(), peter()]), Ok(vec![0]), "a key given twice is one");
}

#[test]
fn what_is_no_note_is_refused() {
    let malformed = [
        TEXT.to_owned(),
        format!("{TEXT}\n"),
        format!("{TEXT}\n{}", PETER.trim_end()),
        format!("{TEXT}\n\n\n"),
        format!("\u{1}{TEXT}\n{PETER}"),
        format!("{TEXT}\0\n\n{PETER}"),
        format!("{TEXT}\n{PETER}\r\n"),
        format!("{TEXT}\n{PETER}Unexpected line.\n"),
        format!("{TEXT}\n{}", PETER.replace("Neumann", " Neumann")),
        format!("{TEXT}\n{}", PETER.replace("Neumann", "\u{2003}Neumann")),
        format!("{TEXT}\n{}", PETER.replace("Neumann", "+Neumann")),
        format!("{TEXT}\n{}", PETER.replace("PeterNeumann", "")),
        format!("{TEXT}\n{}", PETER.replace('—', "-")),
        format!("{TEXT}\n{}", PETER.replace("AM=", "AN=")),
        format!("{TEXT}\n{}", PETER.replace("AM=", "AM")),
        format!("{TEXT}\n{}", PETER.replace("x08g", "x0 g")),
        format!("{TEXT}\n— PeterNeumann x08gow==\n"),
        format!("\n{PETER}"),
        String::new(),
    ];
    for text in malformed {
        assert!(Note::parse(&text).is_err(), "{text:?}");
    }
    // The text may hold empty lines: the last one ends it.
    let text = format!("first\n\nsecond\n\n{PETER}");
    assert_eq!(Note::parse(&text).unwrap().text(), "first\n\nsecond\n");
}

#[test]
fn what_is_read_is_written_with_the_same_bytes() {
    for lines in [PETER.to_owned(), format!("{PETER}{ENOCH}{PETER}")] {
        assert_eq!(note(&lines).to_string(), format!("{TEXT}\n{lines}"));
    }
    assert_eq!(Line::parse(PETER).unwrap().to_string(), PETER);
    assert!(Line::parse(PETER.trim_end()).is_err());
    assert!(Line::parse(&format!("{PETER}{PETER}")).is_err());
}

#[test]
fn notes_of_no_sixteen_and_ten_thousand_signatures() {
    assert!(Note::parse(&format!("{TEXT}\n")).is_err());
    let line = |number: usize| ENOCH.replace("Root", &format!("Root{number}"));
    let lines = |count: usize| (0..count).map(line).collect::<String>() + PETER;
    assert_eq!(verify(&lines(15), &[peter()]), Ok(vec![0]));
    assert_eq!(verify(&lines(NOTE_SIGNATURES_MAX - 1), &[peter()]), Ok(vec![0]));
    let many = format!("{TEXT}\n{}", lines(NOTE_SIGNATURES_MAX));
    assert_eq!(Note::parse(&many), Err(NoteError::TooMany));
    let many = format!("{TEXT}\n{}", lines(10_000));
    assert_eq!(Note::parse(&many), Err(NoteError::TooLong(many.len())));
}

#[test]
fn a_line_takes_the_place_of_the_same_keys() {
    let mut note = note(&format!("{PETER}{ENOCH}"));
    let changed = Line::parse(&PETER.replace("x08go/ZJ", "x08go/ZK")).unwrap();
    note.add(changed.clone()).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{changed}{ENOCH}"));
    let other = Line::parse(&PETER.replace("x08g", "x08h")).unwrap();
    note.add(other.clone()).unwrap();
    assert_eq!(note.to_string(), format!("{TEXT}\n{changed}{ENOCH}{other}"));
}

#[test]
fn no_note_grows_past_what_is_read() {
    let mut note = note(PETER);
    let line =
        |number: usize| Line::parse(&ENOCH.replace("Root", &format!("Root{number}"))).unwrap();
    for number in 1..NOTE_SIGNATURES_MAX {
        note.add(line(number)).unwrap();
    }
    assert_eq!(Note::parse(&note.to_string()), Ok(note.clone()));
    let before = note.clone();
    assert_eq!(note.add(line(0)), Err(NoteError::TooMany));
    let long = "long".repeat(NOTE_BYTES_MAX);
    let long = Line::parse(&PETER.replace("x08g", &format!("x08g{long}"))).unwrap();
    let mut short = before.only(&[]);
    assert!(matches!(short.add(long), Err(NoteError::TooLong(_))));
    assert_eq!((note, short), (before.clone(), before.only(&[])));
}

#[test]
fn only_keeps_the_first_line_of_each_key() {
    let note = note(&format!("{ENOCH}{PETER}{}{PETER}", PETER.replace("x08go/ZJ", "x08go/ZK")));
    assert_eq!(note.only(&[peter()]).to_string(), format!("{TEXT}\n{PETER}"));
}

#[test]
fn names_and_texts_that_no_note_can_carry_are_not_signed() {
    let key = NodeKey::from_seed(&[1; 32]);
    for name in ["", "a b", "a+b", "a\nb", "a\0"] {
        assert_eq!(Note::sign(TEXT, name, &key), Err(NoteError::Name(name.into())));
    }
    for text in ["", "abc", "a\0b\n", "a\rb\n"] {
        assert!(matches!(Note::sign(text, "a", &key), Err(NoteError::Malformed(_))), "{text:?}");
    }
}
