"""What the fields of each message may hold.

The order of the checks is part of the format: the first fault is the one that is named.
"""

from . import limits
from .fields import (
    ascending,
    cause,
    country,
    data_class,
    digests,
    fail,
    few,
    ident,
    institution_id,
    known,
    required,
    sequence,
    short,
    text,
    texts,
    within,
)
from .note import Note, NoteError
from .wire import FormatError, decode

STOP, LENGTH, ERROR, CANCELLED = 1, 2, 3, 4
CAUSES = (
    "cancelled peer_lost timeout overloaded shutdown not_served policy not_admitted governance "
    "position_mismatch violation not_finite limit bug storage quota"
).split()
RAW, CLIENT = 1, 2
ROLE_HOME, ROLE_STAGE = 1, 2
EXACT = 1
PUBLIC, SENSITIVE = 1, 4


def read(kind, data, bytes_max=limits.PAYLOAD_BYTES_MAX):
    """The message in `data`; FormatError for anything but its canonical encoding."""
    if len(data) > bytes_max:
        raise FormatError(f"{len(data)} bytes, more than {bytes_max}")
    message = decode(kind, data)
    CHECKS[kind](message)
    return message


def signed(m):
    if len(m.payload) > limits.PAYLOAD_BYTES_MAX:
        fail("signed.payload", "too long")
    text(m.domain, limits.DOMAIN_BYTES_MAX, "signed.domain")
    ident(m.signer, 32, "signed.signer")
    ident(m.signature, 64, "signed.signature")


def block_range(m):
    if m.end <= m.start or m.end > limits.BLOCKS_MAX:
        fail("block_range", "empty or past the limit")


def route_stage(m):
    ident(m.peer, 32, "route_stage.peer")
    required(m.blocks, "route_stage.blocks")
    block_range(m.blocks)


def signed_charter(m):
    if len(m.payload) > limits.PAYLOAD_BYTES_MAX:
        fail("signed_charter.payload", "too long")
    few(m.signatures, limits.INSTITUTIONS_MAX, "signed_charter.signatures")
    for entry in m.signatures:
        ident(entry.signer, 32, "signed_charter.signatures.signer")
        ident(entry.signature, 64, "signed_charter.signatures.signature")
    ascending([entry.signer for entry in m.signatures], "signed_charter.signatures")


def charter_chain(m):
    few(m.charters, limits.CHARTERS_MAX, "charter_chain.charters")
    for charter in m.charters:
        signed_charter(charter)
    few(m.suspensions, limits.SUSPENSIONS_MAX, "charter_chain.suspensions")
    for suspension in m.suspensions:
        signed(suspension)


def institution(m):
    institution_id(m.id, "institution.id")
    text(m.legal_name, 256, "institution.legal_name")
    country(m.country, "institution.country")
    country(m.parent_country, "institution.parent_country")
    for key in ("root_key", "roster_key"):
        ident(getattr(m, key), 32, f"institution.{key}")
    most = (limits.ADDRESSES_MAX, limits.ADDRESS_BYTES_MAX)
    texts(m.contacts, *most, "institution.contacts")
    ident(m.witness_key, 32, "institution.witness_key")
    data_class(m.data_class_max, "institution.data_class_max")
    texts(m.purposes, limits.POLICIES_MAX, limits.NAME_BYTES_MAX, "institution.purposes")
    ascending(m.purposes, "institution.purposes")
    officer = "institution.data_protection_officer"
    short(m.data_protection_officer, limits.ADDRESS_BYTES_MAX, officer)
    within(m.share, 1, limits.SHARE_MAX, "institution.share")


def policy(m):
    few(m.allowed_institutions, limits.POLICIES_MAX, "policy.allowed_institutions")
    ascending(m.allowed_institutions, "policy.allowed_institutions")
    text(m.name, limits.NAME_BYTES_MAX, "policy.name")
    for name in ("allowed_jurisdictions", "forbidden_jurisdictions"):
        codes, field = getattr(m, name), f"policy.{name}"
        few(codes, limits.POLICIES_MAX, field)
        ascending(codes, field)
        for code in codes:
            country(code, field)
    for name in m.allowed_institutions:
        text(name, limits.NAME_BYTES_MAX, "policy.allowed_institutions")
    within(m.pinned_first, 0, limits.BLOCKS_MAX, "policy.pinned_first")
    within(m.pinned_last, 0, limits.BLOCKS_MAX, "policy.pinned_last")
    data_class(m.data_class, "policy.data_class")
    short(m.purpose, limits.NAME_BYTES_MAX, "policy.purpose")
    known(m.recovery, "Recovery", "policy.recovery")
    known(m.audit, "Audit", "policy.audit")
    short(m.transfer_basis, limits.TRANSFER_BASIS_BYTES_MAX, "policy.transfer_basis")


def revocations(values):
    few(values, limits.REVOCATIONS_MAX, "charter.revocations")
    before = None
    for m in values:
        if m.institution and not m.peer:
            institution_id(m.institution, "revocation.institution")
            revoked = (0, m.institution)
        elif m.peer and not m.institution:
            ident(m.peer, 32, "revocation.peer")
            revoked = (1, m.peer)
        else:
            fail("revocation", "one of institution and peer")
        short(m.reason, limits.TEXT_BYTES_MAX, "revocation.reason")
        if before is not None and before >= revoked:
            fail("charter.revocations", "not in strictly ascending order")
        before = revoked


def charter(m):
    if m.previous:
        ident(m.previous, 32, "charter.previous")
    within(m.version, 1, limits.U32_MAX, "charter.version")
    text(m.name, 128, "charter.name")
    few(m.institutions, limits.INSTITUTIONS_MAX, "charter.institutions")
    if not m.institutions:
        fail("charter.institutions", "at least one is required")
    ascending([member.id for member in m.institutions], "charter.institutions")
    for member in m.institutions:
        institution(member)
    few(m.policies, limits.POLICIES_MAX, "charter.policies")
    ascending([rule.name for rule in m.policies], "charter.policies")
    if any(rule.name == "open" for rule in m.policies):
        fail("charter.policies", "the name 'open' is taken")
    for rule in m.policies:
        policy(rule)
    few(m.models, limits.MODELS_MAX, "charter.models")
    digests(m.models, "charter.models")
    ascending(m.models, "charter.models")
    within(m.audit_rate_millionths, 0, limits.MILLION, "charter.audit_rate_millionths")
    within(m.witnesses, 0, limits.WITNESSES_MAX, "charter.witnesses")
    revocations(m.revocations)


def roster_node(m):
    ident(m.peer, 32, "roster_node.peer")
    country(m.jurisdiction, "roster_node.jurisdiction")
    if not m.roles:
        fail("roster_node.roles", "at least one is required")
    ascending(m.roles, "roster_node.roles")
    for role in m.roles:
        known(role, "Role", "roster_node.roles")
    most = (limits.ADDRESSES_MAX, limits.ADDRESS_BYTES_MAX)
    texts(m.control_addresses, *most, "roster_node.control_addresses")


def roster(m):
    few(m.nodes, limits.ROSTER_NODES_MAX, "roster.nodes")
    for node in m.nodes:
        roster_node(node)
    ascending([node.peer for node in m.nodes], "roster.nodes")
    institution_id(m.institution, "roster.institution")


def manifest(m):
    few(m.blocks, limits.BLOCKS_MAX, "manifest.blocks")
    text(m.name, 128, "manifest.name")
    text(m.architecture, 32, "manifest.architecture")
    within(m.block_count, 1, limits.BLOCKS_MAX, "manifest.block_count")
    within(m.hidden_size, 1, limits.HIDDEN_MAX, "manifest.hidden_size")
    within(m.vocab_size, 1, limits.VOCAB_MAX, "manifest.vocab_size")
    within(m.context_length, 1, limits.POSITIONS_MAX, "manifest.context_length")
    ident(m.embed, 32, "manifest.embed")
    digests(m.blocks, "manifest.blocks")
    for name in ("head", "tokenizer", "chat_template", "config"):
        ident(getattr(m, name), 32, f"manifest.{name}")
    if len(m.blocks) != m.block_count:
        fail("manifest.blocks", "one digest per block is required")
    if len(m.active_parameters) != m.block_count:
        fail("manifest.active_parameters", "one number per block is required")
    for count in m.active_parameters:
        within(count, 1, limits.BLOCK_PARAMETERS_MAX, "manifest.active_parameters")


def open_record(m):
    ident(m.session, 16, "open_record.session")
    text(m.institution, limits.NAME_BYTES_MAX, "open_record.institution")
    ident(m.manifest, 32, "open_record.manifest")
    ident(m.policy, 32, "open_record.policy")
    sequence(m.sequence, "open_record.sequence")
    ident(m.previous, 32, "open_record.previous")
    ident(m.charter, 32, "open_record.charter")


def stage_receipt(m):
    ident(m.session, 16, "stage_receipt.session")
    text(m.institution, limits.NAME_BYTES_MAX, "stage_receipt.institution")
    country(m.jurisdiction, "stage_receipt.jurisdiction")
    within(m.stage, 0, limits.STAGES_MAX - 1, "stage_receipt.stage")
    required(m.blocks, "stage_receipt.blocks")
    block_range(m.blocks)
    ident(m.manifest, 32, "stage_receipt.manifest")
    ident(m.shard, 32, "stage_receipt.shard")
    text(m.numeric_class, limits.NAME_BYTES_MAX, "stage_receipt.numeric_class")
    within(m.positions, 0, limits.POSITIONS_MAX, "stage_receipt.positions")
    ident(m.input, 32, "stage_receipt.input")
    ident(m.output, 32, "stage_receipt.output")
    sequence(m.sequence, "stage_receipt.sequence")
    within(m.cached, 0, m.positions, "stage_receipt.cached")
    ident(m.home, 32, "stage_receipt.home")
    text(m.home_institution, limits.NAME_BYTES_MAX, "stage_receipt.home_institution")
    within(m.computed, 0, limits.COMPUTED_MAX, "stage_receipt.computed")
    ident(m.previous, 32, "stage_receipt.previous")
    within(m.parameters, 1, limits.PARAMETERS_MAX, "stage_receipt.parameters")


def ending(m):
    """The cause that belongs to a reason: one for an error, none for a whole answer."""
    if m.cause:
        cause(m.cause, "receipt.cause")
    lawful = {STOP: m.cause == 0, LENGTH: m.cause == 0, ERROR: m.cause != 0}
    if not lawful.get(m.finish_reason, m.cause in (0, 1)):
        fail("receipt.cause", "does not fit the reason")


def work(m):
    """One entry for each stage receipt, in their order."""
    if len(m.work) != len(m.stage_receipts):
        fail("receipt.work", "one entry for each stage receipt is required")
    few(m.work, limits.STAGES_MAX, "receipt.work")
    ascending([entry.stage for entry in m.work], "receipt.work")
    for entry in m.work:
        within(entry.stage, 0, limits.STAGES_MAX - 1, "receipt.work.stage")
        text(entry.institution, limits.NAME_BYTES_MAX, "receipt.work.institution")
        within(entry.computed, 0, limits.COMPUTED_MAX, "receipt.work.computed")
        within(entry.parameters, 1, limits.PARAMETERS_MAX, "receipt.work.parameters")


def migrations(values):
    few(values, limits.MIGRATIONS_MAX, "receipt.migrations")
    for m in values:
        within(m.position, 0, limits.POSITIONS_MAX, "receipt.migrations.position")
        within(m.stage, 0, limits.STAGES_MAX - 1, "receipt.migrations.stage")
        ident(getattr(m, "from"), 32, "receipt.migrations.from")
        ident(m.to, 32, "receipt.migrations.to")
        cause(m.cause, "receipt.migrations.cause")


def receipt(m):
    known(m.finish_reason, "FinishReason", "receipt.finish_reason")
    known(m.system_prompt_by, "SystemPrompt", "receipt.system_prompt_by")
    work(m)
    ident(m.session, 16, "receipt.session")
    text(m.institution, limits.NAME_BYTES_MAX, "receipt.institution")
    country(m.jurisdiction, "receipt.jurisdiction")
    ident(m.manifest, 32, "receipt.manifest")
    ident(m.open_record, 32, "receipt.open_record")
    sequence(m.sequence, "receipt.sequence")
    ident(m.previous, 32, "receipt.previous")
    required(m.policy, "receipt.policy")
    policy(m.policy)
    few(m.stages, limits.STAGES_MAX, "receipt.stages")
    for stage in m.stages:
        route_stage(stage)
    text(m.sampler, limits.NAME_BYTES_MAX, "receipt.sampler")
    for name in ("sampling", "prompt", "output", "text", "system_prompt", "client"):
        ident(getattr(m, name), 32, f"receipt.{name}")
    within(m.prompt_tokens, 1, limits.POSITIONS_MAX, "receipt.prompt_tokens")
    within(m.output_tokens, 0, limits.POSITIONS_MAX, "receipt.output_tokens")
    ending(m)
    texts(m.filters, limits.FILTERS_MAX, limits.NAME_BYTES_MAX, "receipt.filters")
    few(m.stage_receipts, limits.STAGES_MAX, "receipt.stage_receipts")
    digests(m.stage_receipts, "receipt.stage_receipts")
    if len(m.client_nonce) > limits.NONCE_BYTES_MAX:
        fail("receipt.client_nonce", "too long")
    text(m.numeric_class, limits.NAME_BYTES_MAX, "receipt.numeric_class")
    few(m.unsigned_stages, limits.STAGES_MAX, "receipt.unsigned_stages")
    ascending(m.unsigned_stages, "receipt.unsigned_stages")
    for stage in m.unsigned_stages:
        within(stage, 0, limits.STAGES_MAX - 1, "receipt.unsigned_stages")
    ident(m.charter, 32, "receipt.charter")
    text(m.software, limits.NAME_BYTES_MAX, "receipt.software")
    if m.system_prompt_by != RAW:
        ident(m.template, 32, "receipt.template")
    elif m.template:
        fail("receipt.template", "raw text has none")
    migrations(m.migrations)


def sampling(m):
    bounds = (
        ("temperature", m.temperature_millionths, 0, limits.TEMPERATURE_MAX),
        ("top_k", m.top_k, 0, limits.VOCAB_MAX),
        ("top_p", m.top_p_millionths, 1, limits.MILLION),
        ("min_p", m.min_p_millionths, 0, limits.MILLION),
        ("repetition_penalty", m.repetition_penalty_millionths, 1, limits.PENALTY_MAX),
        ("max_tokens", m.max_tokens, 1, limits.POSITIONS_MAX),
    )
    for field, value, least, most in bounds:
        within(value, least, most, field)
    texts(m.stop, limits.STOPS_MAX, limits.STOP_BYTES_MAX, "stop")


def opening(m):
    ident(m.salt, 32, "opening.salt")
    required(m.sampling, "opening.sampling")
    sampling(m.sampling)
    ident(m.client, 32, "opening.client")


def acknowledgement(m):
    ident(m.receipt, 32, "acknowledgement.receipt")


def log_proof(m):
    few(m.hashes, limits.INCLUSION_HASHES_MAX, "log_proof.hashes")
    digests(m.hashes, "log_proof.hashes")
    try:
        m.note = Note(m.checkpoint)
    except NoteError as error:
        fail("log_proof.checkpoint", str(error))


def bundle(m):
    if len(m.manifest) > limits.PAYLOAD_BYTES_MAX:
        fail("bundle.manifest", "too long")
    few(m.charters, limits.CHARTERS_MAX, "bundle.charters")
    for charter_of in m.charters:
        signed_charter(charter_of)
    few(m.rosters, limits.INSTITUTIONS_MAX, "bundle.rosters")
    for entry in m.rosters:
        signed(entry)
    for name in ("open_record", "receipt"):
        required(getattr(m, name), f"bundle.{name}")
        signed(getattr(m, name))
    few(m.stage_receipts, limits.STAGES_MAX, "bundle.stage_receipts")
    for entry in m.stage_receipts:
        signed(entry)
    if m.opening is not None:
        opening(m.opening)
    if m.acknowledgement is not None:
        signed(m.acknowledgement)
    if m.proof is not None:
        log_proof(m.proof)


CHECKS = {
    "Bundle": bundle,
    "SignedCharter": signed_charter,
    "CharterChain": charter_chain,
    "Charter": charter,
    "Roster": roster,
    "Manifest": manifest,
    "OpenRecord": open_record,
    "StageReceipt": stage_receipt,
    "Receipt": receipt,
    "Acknowledgement": acknowledgement,
}
