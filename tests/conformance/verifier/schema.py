"""The messages of a bundle: number, name and type of each field, as in `proto/`.

`*` marks what is repeated. Types are string, bytes, u32, u64, enum, or another message.
"""

MESSAGES = {
    "Signed": "1 domain string, 2 payload bytes, 3 signer bytes, 4 signature bytes",
    "Signature": "1 signer bytes, 2 signature bytes",
    "BlockRange": "1 start u32, 2 end u32",
    "RouteStage": "1 peer bytes, 2 blocks BlockRange",
    "SignedCharter": "1 payload bytes, 2 signatures Signature*",
    "CharterChain": "1 charters SignedCharter*, 2 suspensions Signed*",
    "Charter": """
        1 version u32, 2 previous bytes, 3 name string, 4 created_at_ms u64, 5 expires_at_ms u64,
        6 institutions Institution*, 7 policies Policy*, 8 models bytes*,
        9 audit_rate_millionths u32, 10 witnesses u32, 11 revocations Revocation*""",
    "Revocation": "1 institution string, 2 peer bytes, 3 at_ms u64, 4 reason string",
    "Institution": """
        1 id string, 2 legal_name string, 3 country string, 4 parent_country string,
        5 root_key bytes, 6 roster_key bytes, 7 contacts string*, 8 witness_key bytes,
        9 data_class_max enum, 10 purposes string*, 11 data_protection_officer string,
        12 share u32, 13 quota u64""",
    "Policy": """
        1 name string, 2 allowed_jurisdictions string*, 3 forbidden_jurisdictions string*,
        4 allowed_institutions string*, 5 pinned_first u32, 6 pinned_last u32, 7 data_class enum,
        8 purpose string, 9 recovery enum, 10 audit enum, 11 transfer_basis string""",
    "Roster": """
        1 institution string, 2 sequence u64, 3 issued_at_ms u64, 4 expires_at_ms u64,
        5 nodes RosterNode*""",
    "RosterNode": """
        1 peer bytes, 2 jurisdiction string, 3 roles enum*, 4 control_addresses string*""",
    "Manifest": """
        1 name string, 2 architecture string, 3 block_count u32, 4 hidden_size u32,
        5 vocab_size u32, 6 context_length u32, 7 embed bytes, 8 blocks bytes*, 9 head bytes,
        10 tokenizer bytes, 11 chat_template bytes, 12 config bytes, 13 active_parameters u64*""",
    "OpenRecord": """
        1 session bytes, 2 institution string, 3 manifest bytes, 4 policy bytes, 5 sequence u64,
        6 previous bytes, 7 opened_at_ms u64, 8 charter bytes""",
    "StageReceipt": """
        1 session bytes, 2 institution string, 3 jurisdiction string, 4 stage u32,
        5 blocks BlockRange, 6 manifest bytes, 7 shard bytes, 8 numeric_class string,
        9 positions u32, 10 input bytes, 11 output bytes, 12 sequence u64, 13 started_at_ms u64,
        14 signed_at_ms u64, 15 cached u32, 16 home bytes, 17 home_institution string,
        18 computed u64, 19 previous bytes, 20 parameters u64""",
    "Receipt": """
        1 session bytes, 2 institution string, 3 jurisdiction string, 4 manifest bytes,
        5 open_record bytes, 6 sequence u64, 7 previous bytes, 8 opened_at_ms u64,
        9 closed_at_ms u64, 10 policy Policy, 11 stages RouteStage*, 12 sampler string,
        13 sampling bytes, 14 prompt bytes, 15 prompt_tokens u32, 16 output bytes,
        17 output_tokens u32, 18 text bytes, 19 finish_reason enum, 20 cause enum,
        21 filters string*, 22 stage_receipts bytes*, 23 client_nonce bytes,
        24 numeric_class string, 25 unsigned_stages u32*, 26 charter bytes, 27 software string,
        28 system_prompt bytes, 29 system_prompt_by enum, 30 template bytes, 31 client bytes,
        32 retained_until_ms u64, 33 first_token_ms u64, 34 migrations Migration*,
        35 work Work*""",
    "Migration": "1 position u32, 2 stage u32, 3 from bytes, 4 to bytes, 5 cause enum",
    "Work": "1 stage u32, 2 institution string, 3 computed u64, 4 parameters u64",
    "Sampling": """
        1 temperature_millionths u32, 2 top_k u32, 3 top_p_millionths u32, 4 min_p_millionths u32,
        5 repetition_penalty_millionths u32, 6 seed u64, 7 max_tokens u32, 8 stop string*""",
    "Opening": """
        1 salt bytes, 2 prompt u32*, 3 output u32*, 4 text string, 5 sampling Sampling,
        6 system_prompt string, 7 client bytes""",
    "Acknowledgement": "1 receipt bytes, 2 received_at_ms u64",
    "LogProof": "1 index u64, 2 hashes bytes*, 3 checkpoint string",
    "Bundle": """
        1 charters SignedCharter*, 2 rosters Signed*, 3 manifest bytes, 4 open_record Signed,
        5 receipt Signed, 6 stage_receipts Signed*, 7 opening Opening, 8 acknowledgement Signed,
        9 proof LogProof""",
}

# The highest number of each enum; they are counted without a gap.
ENUMS = {
    "Audit": 3,
    "Cause": 16,
    "DataClass": 4,
    "FinishReason": 4,
    "Recovery": 2,
    "Role": 3,
    "SystemPrompt": 3,
}


class Field:
    """One field of a message."""

    def __init__(self, text):
        number, self.name, kind = text.split()
        self.number, self.repeated, self.kind = int(number), kind.endswith("*"), kind.rstrip("*")
        self.is_number = self.kind in ("u32", "u64", "enum")
        self.is_message = self.kind in MESSAGES
        # Repeated numbers stand packed in one entry.
        self.packed = self.repeated and self.is_number


FIELDS = {
    kind: {field.number: field for field in map(Field, text.split(","))}
    for kind, text in MESSAGES.items()
}
