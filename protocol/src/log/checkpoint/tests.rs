//! Checkpoints: the published one, the exact text, and what is refused.

use super::*;

fn sample() -> (Checkpoint, NodeKey) {
    let node = NodeKey::from_seed(&[3; 32]);
    let origin = origin(&Digest([0xAB; 32]), &node.public());
    (Checkpoint { origin, size: 42, root: Digest([7; 32]) }, node)
}

#[test]
fn the_example_of_the_specification_is_read() {
    let text =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let checkpoint = Checkpoint::parse(text).unwrap();
    assert_eq!(checkpoint.origin, "example.com/behind-the-sofa");
    assert_eq!(checkpoint.size, 20_852_163);
    let root = "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62";
    assert_eq!(checkpoint.root.to_string(), root);
    assert_eq!(checkpoint.to_string(), text);
}

#[test]
fn a_checkpoint_that_its_log_signed_is_opened() {
    let (checkpoint, node) = sample();
    let key = key(&Digest([0xAB; 32]), &node.public());
    assert_eq!(checkpoint.origin, format!("comity/log/{}/{}", "ab".repeat(32), node.public()));
    let note = checkpoint.sign(&node).unwrap();
    assert_eq!(Checkpoint::open(&note, &key), Ok(checkpoint.clone()));
    let again = Note::parse(&note.to_string()).unwrap();
    assert_eq!(Checkpoint::open(&again, &key), Ok(checkpoint));
}

#[test]
fn another_logs_checkpoint_is_refused_even_if_the_right_key_signed_it() {
    let (mut checkpoint, node) = sample();
    let key = key(&Digest([0xAB; 32]), &node.public());
    let expected = checkpoint.origin.clone();
    checkpoint.origin = origin(&Digest([0xAC; 32]), &node.public());
    let note = Note::sign(&checkpoint.to_string(), &expected, &node).unwrap();
    let got = checkpoint.origin.clone();
    assert_eq!(Checkpoint::open(&note, &key), Err(CheckpointError::Origin { expected, got }));
    let unsigned = CheckpointError::Note(NoteError::Unsigned);
    assert_eq!(Checkpoint::open(&checkpoint.sign(&node).unwrap(), &key), Err(unsigned));
}

#[test]
fn a_changed_checkpoint_is_refused() {
    let (checkpoint, node) = sample();
    let key = key(&Digest([0xAB; 32]), &node.public());
    let note = checkpoint.sign(&node).unwrap().to_string();
    let changed = Note::parse(&note.replace("\n42\n", "\n43\n")).unwrap();
    let refused = NoteError::Signature(checkpoint.origin);
    assert_eq!(Checkpoint::open(&changed, &key), Err(CheckpointError::Note(refused)));
}

#[test]
fn what_is_no_checkpoint_is_refused() {
    let root = base64(&[7; 32]);
    let malformed = [
        format!("log\n42\n{root}"),
        format!("\n42\n{root}\n"),
        format!("{}\n42\n{root}\n", "o".repeat(ORIGIN_BYTES_MAX + 1)),
        "log\n42\n".to_owned(),
        "log\n".to_owned(),
        String::new(),
        format!("log\n042\n{root}\n"),
        format!("log\n+42\n{root}\n"),
        format!("log\n-1\n{root}\n"),
        format!("log\n42 \n{root}\n"),
        format!("log\n\n{root}\n"),
        format!("log\n0x2a\n{root}\n"),
        format!("log\n18446744073709551616\n{root}\n"),
        format!("log\n42\n{}\n", base64(&[7; 31])),
        format!("log\n42\n{}\n", base64(&[7; 33])),
        format!("log\n42\n{}\n", root.trim_end_matches('=')),
        format!("log\n42\n{}\n", root.replace("c=", "d=")),
        format!("log\n42\n{root}\nextension\n"),
        format!("log\n42\n{root}\n\n"),
        format!("log\n0\n{root}\n"),
    ];
    for text in malformed {
        assert!(Checkpoint::parse(&text).is_err(), "{text:?}");
    }
    assert!(root.ends_with("c="), "a root whose last bits can be set");
    let empty = base64(&Digest::of(&[]).0);
    assert_eq!(Checkpoint::parse(&format!("log\n0\n{empty}\n")).unwrap().size, 0);
    assert_eq!(Checkpoint::parse(&format!("log\n{}\n{root}\n", u64::MAX)).unwrap().size, u64::MAX);
}

#[test]
fn an_origin_of_several_lines_is_not_signed() {
    let (mut checkpoint, node) = sample();
    checkpoint.origin = "cosignature/v1\ntime 1\nlog".into();
    assert_eq!(checkpoint.sign(&node), Err(NoteError::Name(checkpoint.origin)));
}
