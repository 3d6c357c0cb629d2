//! Every bound on what comes from outside, with unit and reason. Not configuration.

use std::time::Duration;

/// Blocks of one model. The deepest open models have about 130.
pub const BLOCKS_MAX: u32 = 1_024;
/// Elements of one hidden state. The widest open models have 18,432.
pub const HIDDEN_MAX: u32 = 65_536;
/// Token ids of one model. The largest vocabularies have about 262,000.
pub const VOCAB_MAX: u32 = 1_048_576;
/// Positions of one session.
pub const POSITIONS_MAX: u32 = 16_777_216;
/// Parameters of one block: the largest open models have as many in all.
pub const BLOCK_PARAMETERS_MAX: u64 = 1 << 40;
/// Parameters of the blocks of one stage.
pub const PARAMETERS_MAX: u64 = BLOCK_PARAMETERS_MAX * BLOCKS_MAX as u64;
/// Rows one session may have run at a stage: every position with a full step of drafts. With
/// [`PARAMETERS_MAX`] it keeps sums over 2^40 sessions within 128 bits.
pub const COMPUTED_MAX: u64 = POSITIONS_MAX as u64 * STEP_POSITIONS_MAX as u64;
/// Offers one route is chosen among: latencies between as many peers are 8 MiB.
pub const CANDIDATES_MAX: usize = 1_024;
/// Nodes of one fleet: the limits of the links between them are 8 MiB.
pub const FLEET_NODES_MAX: usize = 1_024;
/// Stages of one route. More hops than this never pay.
pub const STAGES_MAX: usize = 64;
/// Rows of one step: one prefill chunk. Bounds a frame together with [`HIDDEN_MAX`].
pub const STEP_POSITIONS_MAX: u32 = 512;
/// Bytes of one step's tensor; refuses wide models in long chunks before memory is taken.
pub const STEP_BYTES_MAX: usize = 32 << 20;
/// Bytes of a session frame's header: 64 receipts of at most 1 KiB, or an open of 64 stages.
pub const FRAME_HEADER_BYTES_MAX: usize = 96 << 10;
/// Bytes of a signed payload: a leaf of a transparency log carries its length in 16 bits.
pub const PAYLOAD_BYTES_MAX: usize = 65_535;
/// Bytes of a record with its envelope: it is one leaf.
pub const RECORD_BYTES_MAX: usize = PAYLOAD_BYTES_MAX;
/// Bytes of an envelope beside its payload: domain, key and signature with their framing.
pub const ENVELOPE_BYTES_MAX: usize = 256;
/// Bytes of a record's payload, so that it is one leaf with its envelope.
pub const RECORD_PAYLOAD_BYTES_MAX: usize = RECORD_BYTES_MAX - ENVELOPE_BYTES_MAX;
/// Bytes of a signed statement with its envelope.
pub const SIGNED_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + ENVELOPE_BYTES_MAX;
/// Bytes of a charter with its signatures: 102 bytes each with their framing.
pub const SIGNED_CHARTER_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + INSTITUTIONS_MAX * 102 + 8;
/// Bytes of a file of charters: what a twenty-year-old consortium of some hundred members needs.
pub const CHAIN_BYTES_MAX: usize = 64 << 20;
/// Bytes of a domain string.
pub const DOMAIN_BYTES_MAX: usize = 64;
/// Bytes of a signed announcement.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 4 << 10;
/// Nodes whose distance one announcement tells: 18 bytes each.
pub const ROUND_TRIPS_MAX: usize = 64;
/// Longest round trip that counts, microseconds: a ping without an answer is given up by then.
pub const ROUND_TRIP_US_MAX: u32 = 20_000_000;
/// Longest life of an announcement.
pub const ANNOUNCEMENT_LIFE_MAX: Duration = Duration::from_secs(600);
/// Longest life of a roster.
pub const ROSTER_LIFE_MAX: Duration = Duration::from_secs(72 * 3_600);
/// Longest life of a charter.
pub const CHARTER_LIFE_MAX: Duration = Duration::from_secs(400 * 86_400);
/// How far a peer's clock may run ahead of ours before its statements are refused.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(120);
/// Institutions of one consortium.
pub const INSTITUTIONS_MAX: usize = 256;
/// Named policies of one charter, and entries of one policy's lists.
pub const POLICIES_MAX: usize = 64;
/// Bytes of a policy's reference to the legal basis of transfers.
pub const TRANSFER_BASIS_BYTES_MAX: usize = 256;
/// Cosignatures a charter may ask for: one of every other institution.
pub const WITNESSES_MAX: u32 = 255;
/// Institutions and nodes a charter may revoke: at about 64 bytes each they leave room for the rest.
pub const REVOCATIONS_MAX: usize = 512;
/// Signed suspensions kept: one of every institution, and as many that do not count.
pub const SUSPENSIONS_MAX: usize = 512;
/// Of them, of one signer.
pub const SUSPENSIONS_OF_ONE_MAX: usize = 8;
/// Longest suspension.
pub const SUSPENSION_LIFE_MAX: Duration = Duration::from_secs(72 * 3_600);
/// How long who signed a suspension cannot sign another, and who was suspended not be again.
pub const SUSPENSION_REST: Duration = Duration::from_secs(7 * 86_400);
/// How long work counts against an institution's quota.
pub const QUOTA_WINDOW: Duration = Duration::from_secs(86_400);
/// Largest weight of an institution where several share a stage.
pub const SHARE_MAX: u32 = 1_000;
/// Nodes of one institution.
pub const ROSTER_NODES_MAX: usize = 256;
/// Nodes whose announcements a directory keeps: 32 MiB of [`ANNOUNCEMENT_BYTES_MAX`] each.
pub const ANNOUNCERS_MAX: usize = 8_192;
/// Statements of one kind in one hello; what is left out comes by gossip.
pub const HELLO_STATEMENTS_MAX: usize = 256;
/// Offers of one announcement.
pub const OFFERS_MAX: usize = 16;
/// Addresses in one list, contacts of one institution.
pub const ADDRESSES_MAX: usize = 8;
/// Bytes of one control address or contact.
pub const ADDRESS_BYTES_MAX: usize = 256;
/// Bytes of a control message: rosters and announcements of every member.
pub const CONTROL_BYTES_MAX: usize = 1 << 20;
/// Bytes of a name: institution, policy, purpose, numeric class, role.
pub const NAME_BYTES_MAX: usize = 64;
/// Bytes of a text for people, such as a legal name or a cause's detail.
pub const TEXT_BYTES_MAX: usize = 512;
/// Bytes of one client request, its prompt included.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;
/// Bytes of one event to a client; a bundle dominates.
pub const EVENT_BYTES_MAX: usize = BUNDLE_BYTES_MAX + (64 << 10);
/// Bytes of a bundle.
pub const BUNDLE_BYTES_MAX: usize = 1 << 20;
/// Messages of one conversation.
pub const MESSAGES_MAX: usize = 1_024;
/// Stop strings of one request, and bytes of each.
pub const STOPS_MAX: usize = 16;
/// Bytes of one stop string.
pub const STOP_BYTES_MAX: usize = 256;
/// Pages of one prefix that home names: 32,768 tokens, and 18 KiB of a frame.
pub const PREFIX_PAGES_MAX: usize = 1_024;
/// How long a stage keeps what it computed for a prefix that no session uses.
pub const PREFIX_IDLE_MAX: Duration = Duration::from_secs(600);
/// Positions between two partial stage receipts.
pub const RECEIPT_INTERVAL: u32 = 256;
/// Default bound on the tokens of an answer.
pub const MAX_TOKENS_DEFAULT: u32 = 1_024;
/// How long home waits for the next step before it gives the session up.
pub const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a stage keeps a session in which nothing moves.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(60);
/// Sessions opened for one request, one after the other, before home gives it up.
pub const OPENINGS_MAX: u32 = 8;
/// How long after the first of them home still decides on another: as long as one may take to open.
pub const OPENINGS_SPAN: Duration = Duration::from_secs(15);
/// Longest life of a session.
pub const SESSION_LIFE_MAX: Duration = Duration::from_secs(1_800);
/// Bytes of a client's nonce.
pub const NONCE_BYTES_MAX: usize = 32;
/// Filters named in one receipt.
pub const FILTERS_MAX: usize = 64;
/// Charters of one consortium, from the genesis on: a version a week for twenty years.
pub const CHARTERS_MAX: usize = 1_024;
/// Records of one log: its kept hashes are then counted in 64 bits, and a proof that it grew has at
/// most [`CONSISTENCY_HASHES_MAX`] hashes.
pub const LOG_SIZE_MAX: u64 = 1 << 62;
/// Hashes of a proof that a record is in a log: one for each level of a tree counted in 64 bits.
pub const INCLUSION_HASHES_MAX: usize = 64;
/// Hashes of a proof that a log grew, as C2SP tlog-witness has it.
pub const CONSISTENCY_HASHES_MAX: usize = 63;
/// Bytes of the name of a log: `comity/log/` and two digests.
pub const ORIGIN_BYTES_MAX: usize = 11 + 64 + 1 + 64;
/// Signatures of one note: a log's own, and one witness for each institution.
pub const NOTE_SIGNATURES_MAX: usize = 1 + INSTITUTIONS_MAX;
/// Bytes of the line of one signature, the longest name being a witness's of 144 bytes.
pub const NOTE_LINE_BYTES_MAX: usize = 256;
/// Bytes of a note: a checkpoint, an empty line and the lines of its signatures.
pub const NOTE_BYTES_MAX: usize = 256 + NOTE_SIGNATURES_MAX * NOTE_LINE_BYTES_MAX;
/// Logs one witness follows: 8 MiB of what it last saw of each.
pub const WITNESSED_LOGS_MAX: usize = 8_192;
/// Bytes of a proof that a record is in a log, or of a request to a witness: a note and its hashes,
/// 34 bytes each with their framing.
pub const LOG_PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + INCLUSION_HASHES_MAX * 34 + 32;
/// Bytes of what a witness answers: a line, the checkpoint it holds, or a refusal with its detail.
pub const WITNESS_REPLY_BYTES_MAX: usize = NOTE_BYTES_MAX + 8;
/// Bytes of the checkpoint in a succession: its node's signature alone, about 500.
pub const SUCCESSION_NOTE_BYTES_MAX: usize = 1_024;
/// Bytes of two checkpoints, such as those that contradict each other.
pub const EQUIVOCATION_BYTES_MAX: usize = 2 * (NOTE_BYTES_MAX + 8);
/// How long home keeps a record unless told otherwise: half a year, as the EU's AI Act asks of logs.
pub const RETENTION_DEFAULT: Duration = Duration::from_secs(183 * 86_400);
/// Longest time for which home may promise to keep a record: ten years.
pub const RETENTION_MAX: Duration = Duration::from_secs(3_653 * 86_400);
/// Migrations named in one receipt.
pub const MIGRATIONS_MAX: usize = 64;

/// Shortest time that automatic records of a high-risk system are to be kept: six months, taken as
/// 183 days (EU AI Act, Art. 19(1) and 26(6)).
pub const RETENTION_MIN: Duration = Duration::from_secs(183 * 86_400);
