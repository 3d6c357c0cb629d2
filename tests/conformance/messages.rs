//! One message of each type, and its golden bytes.

use bytes_of::Sample;
use comity_protocol::{
    announcement::{Announcement, Offer, RoundTrip},
    block::BlockRange,
    charter::{SignedChain, Suspension},
    commitment::Salt,
    control::{ControlReply, ControlRequest, Hello, Invitation},
    id::{Digest, PrefixTag, ShortPeer},
    log::{
        checkpoint::{Checkpoint, origin},
        succession::{Succession, SuccessionReason, SuccessionRecord},
    },
    policy::Policy,
    receipt::{
        AbortRecord, Acknowledgement, Countersignature, CountersignedRecord, FinishReason,
        Migration, Receipt, SystemPrompt,
    },
    refusal::{Cause, Refusal},
    request::{
        ChatMessage, ClientEvent, ClientRequest, Finished, Generate, Prompt, Refused, RequestKind,
        StageInfo, Started, Token,
    },
    sampler::Sampling,
    session::{Close, Frame, Open, Step},
    signed::Domain,
};

use crate::{
    story::{Story, country, key, later, node},
    vectors,
};

pub(crate) mod bytes_of {
    //! A message without its type.

    use comity_protocol::wire::{DecodeError, Wire};

    /// One message as bytes, and how its type reads bytes.
    pub(crate) struct Sample {
        pub(crate) name: &'static str,
        pub(crate) bytes: Vec<u8>,
        pub(crate) bytes_max: usize,
        /// Decodes, and encodes again what was decoded.
        pub(crate) reencode: fn(&[u8]) -> Result<Vec<u8>, DecodeError>,
    }

    impl Sample {
        pub(crate) fn new<T: Wire>(name: &'static str, message: &T) -> Self {
            Self {
                name,
                bytes: message.encode(),
                bytes_max: T::BYTES_MAX,
                reencode: |bytes| T::decode(bytes).map(|message| message.encode()),
            }
        }
    }
}

fn announcement(story: &Story) -> Announcement {
    Announcement {
        institution: "alba".into(),
        sequence: 12,
        issued_at: later(0),
        expires_at: later(600),
        data_addresses: vec!["192.0.2.1:4701".parse().unwrap()],
        offers: vec![Offer {
            manifest: story.manifest.digest(),
            blocks: BlockRange::new(0, 2).unwrap(),
            numeric_class: story.receipt.numeric_class.clone(),
            block_time_ns: 120_000,
            positions_free: 4_096,
            sessions: 1,
        }],
        round_trips: vec![RoundTrip { peer: ShortPeer([0x5B; 8]), least_us: 23_400 }],
    }
}

fn open(story: &Story) -> Open {
    Open {
        session: story.receipt.session,
        manifest: story.receipt.manifest,
        stages: story.receipt.stages.clone(),
        positions_max: 2_048,
        policy: story.receipt.policy.clone(),
        salt: Salt::new([0x5A; 32]),
        deadline: later(1_900),
        numeric_class: story.receipt.numeric_class.clone(),
        prefix: vec![PrefixTag([7; 16]), PrefixTag([8; 16])],
    }
}

/// Parameters of which none is at its default.
fn sampling() -> Sampling {
    Sampling {
        temperature: 700_000,
        top_k: 40,
        top_p: 950_000,
        min_p: 50_000,
        repetition_penalty: 1_100_000,
        seed: u64::MAX,
        max_tokens: 64,
        stop: vec!["\n\n".into(), "</s>".into()],
    }
}

fn generate(prompt: Prompt) -> ClientRequest {
    let generate = Generate {
        model: "tiny".into(),
        prompt,
        sampling: sampling(),
        policy: "europe".into(),
        nonce: b"nonce".to_vec().into(),
        stages_min: 3,
        rules: Some(Box::new(Policy { pinned_last: 1, ..Policy::open("europe") })),
    };
    ClientRequest { kind: RequestKind::Generate(generate), token: "loopback".into() }
}

fn session(story: &Story, samples: &mut Vec<Sample>) {
    let bundle = story.bundle();
    let signed_open = story.sign(&node(0), Domain::OPEN, &open(story));
    let receipts = bundle.stage_receipts;
    let step =
        Step { start: 4, positions: 3, returned: 1, accepted: 5, receipts: receipts[..1].to_vec() };
    let refusal = Refusal::new(Cause::PositionMismatch, 1, "step at 9 follows position 7");
    samples.extend([
        Sample::new("open", &open(story)),
        Sample::new("frame_open", &Frame::Open { signed: signed_open, cached: 32 }),
        Sample::new("frame_opened", &Frame::Opened { session: story.receipt.session, cached: 32 }),
        Sample::new("frame_step", &Frame::Step(step)),
        Sample::new(
            "frame_close",
            &Frame::Close(Close { positions: 6, receipts, prefix: vec![PrefixTag([7; 16])] }),
        ),
        Sample::new("frame_refusal", &Frame::Refusal(refusal)),
    ]);
}

fn client(story: &Story, samples: &mut Vec<Sample>) {
    let message = ChatMessage { role: "user".into(), content: "Where?".into() };
    let started = Started {
        session: story.receipt.session,
        prompt_tokens: 5,
        stages: vec![StageInfo {
            institution: "alba".into(),
            peer: node(0).public(),
            jurisdiction: "FR".into(),
            blocks: BlockRange::new(0, 6).unwrap(),
        }],
        manifest: story.receipt.manifest,
    };
    let finished = Finished {
        reason: FinishReason::Error,
        cause: Some(Refusal::new(Cause::PeerLost, 2, "")),
        text: "Par".into(),
        bundle: b"bundle".to_vec().into(),
        first_token_ns: 1_000_000,
        decode_ns: 2_000_000,
        cached_tokens: 64,
    };
    let refused = Refused { cause: Cause::Limit, detail: "temperature: out of range".into() };
    let status = ClientRequest { kind: RequestKind::Status, token: String::new() };
    let token = Token { id: 42, text: "Par".into(), position: 5 };
    samples.extend([
        Sample::new("request_chat", &generate(Prompt::Chat(vec![message]))),
        Sample::new("request_raw", &generate(Prompt::Raw("Where?".into()))),
        Sample::new("request_status", &status),
        Sample::new("event_started", &ClientEvent::Started(started)),
        Sample::new("event_token", &ClientEvent::Token(token)),
        Sample::new("event_finished", &ClientEvent::Finished(finished)),
        Sample::new("event_refused", &ClientEvent::Refused(refused)),
        Sample::new("event_status", &ClientEvent::Status("{}".into())),
    ]);
}

fn suspension() -> Suspension {
    Suspension {
        institution: "delta".into(),
        from: later(0),
        until: later(72 * 3_600),
        reason: "leaked".into(),
    }
}

/// A receipt of a raw prompt that broke after a migration: what [`Story`] has none of.
fn failed(linked: &Receipt) -> Receipt {
    let (from, to) = (node(1).public(), node(3).public());
    let migration = Migration { position: 5, stage: 1, from, to, cause: Cause::Timeout };
    Receipt {
        finish_reason: FinishReason::Error,
        cause: Some(Cause::PeerLost),
        filters: vec!["none-such".into()],
        unsigned_stages: vec![1, 2],
        jurisdiction: country("DE"),
        system_prompt_by: SystemPrompt::None,
        template: None,
        migrations: vec![migration],
        ..linked.clone()
    }
}

fn succession(story: &Story) -> Succession {
    let origin = origin(&story.genesis(), &node(4).public());
    let checkpoint = Checkpoint { origin, size: 7, root: Digest::of(b"the root of seven records") };
    Succession {
        institution: story.receipt.institution.clone(),
        from: node(4).public(),
        to: node(0).public(),
        reason: SuccessionReason::Restored,
        records: 5,
        last: Digest::of(b"the fifth record"),
        checkpoint: checkpoint.sign(&node(4)).unwrap().to_string(),
        seen: 9,
        at: later(0),
    }
}

/// Records beside openings and receipts.
fn records(story: &Story, samples: &mut Vec<Sample>) {
    let bundle = story.bundle();
    let (session, institution) = (story.receipt.session, story.receipt.institution.clone());
    let previous = Digest::of(b"the record before");
    let countersignature = Countersignature {
        stage_receipt: bundle.stage_receipts[1].payload_digest(),
        session,
        institution: institution.clone(),
        signed_at: later(106),
    };
    let signed = story.sign(&node(0), Domain::COUNTERSIGNATURE, &countersignature);
    let abort = AbortRecord {
        session,
        institution,
        open_record: bundle.open_record.payload_digest(),
        sequence: 8,
        previous,
        aborted_at: later(107),
    };
    let countersigned = CountersignedRecord { sequence: 9, previous, countersignature: signed };
    let succession = succession(story);
    let signed = story.sign(&key("roster", 0), Domain::SUCCESSION, &succession);
    let record = SuccessionRecord { sequence: 1, previous: Digest::ZERO, succession: signed };
    samples.extend([
        Sample::new("abort_record", &abort),
        Sample::new("countersignature", &countersignature),
        Sample::new("countersigned_record", &countersigned),
        Sample::new("succession", &succession),
        Sample::new("succession_record", &record),
    ]);
}

/// One message of each type.
pub(crate) fn samples() -> Vec<Sample> {
    let story = Story::new();
    let bundle = story.bundle();
    let announcement = announcement(&story);
    let announced = story.sign(&node(0), Domain::ANNOUNCEMENT, &announcement);
    let suspension = suspension();
    let suspended = story.sign(&key("root", 0), Domain::SUSPENSION, &suspension);
    let hello = Hello {
        genesis: story.genesis(),
        rosters: bundle.rosters.clone(),
        announcements: vec![announced],
        charter_version: 1,
        charter: story.genesis(),
        suspensions: vec![suspended.clone()],
    };
    let charters =
        SignedChain { charters: vec![story.signed_charter()], suspensions: vec![suspended] };
    let control_addresses = vec!["/ip4/192.0.2.1/udp/4700/quic-v1".to_owned()];
    let invitation = Invitation { charters: charters.clone(), control_addresses };
    let acknowledgement =
        Acknowledgement { receipt: bundle.receipt.payload_digest(), received_at: later(105) };
    let linked = story.linked(&bundle.open_record, &bundle.stage_receipts);
    let mut samples = vec![
        Sample::new("signed", &bundle.receipt),
        Sample::new("manifest", &story.manifest),
        Sample::new("policy", &story.receipt.policy),
        Sample::new("charter", &story.charter),
        Sample::new("signed_charter", &story.signed_charter()),
        Sample::new("charter_chain", &charters),
        Sample::new("suspension", &suspension),
        Sample::new("invitation", &invitation),
        Sample::new("control_request", &ControlRequest::Charters { from: 2 }),
        Sample::new("control_reply", &ControlReply::Charters(charters.clone())),
        Sample::new("roster", &story.rosters[0]),
        Sample::new("announcement", &announcement),
        Sample::new("hello", &hello),
        Sample::new("sampling", &sampling()),
        Sample::new("stage_receipt", &story.stages[1]),
        Sample::new("open_record", &story.open),
        Sample::new("receipt", &linked),
        Sample::new("receipt_failed", &failed(&linked)),
        Sample::new("acknowledgement", &acknowledgement),
        Sample::new("bundle", &bundle),
    ];
    records(&story, &mut samples);
    session(&story, &mut samples);
    client(&story, &mut samples);
    samples
}

#[test]
fn every_message_has_its_golden_bytes() {
    for sample in samples() {
        vectors::check(&format!("messages/{}.hex", sample.name), &sample.bytes);
    }
}

#[test]
fn golden_bytes_decode_and_encode_to_themselves() {
    for sample in samples() {
        let golden = vectors::read(&format!("messages/{}.hex", sample.name));
        assert_eq!((sample.reencode)(&golden).as_ref(), Ok(&golden), "{}", sample.name);
    }
}
