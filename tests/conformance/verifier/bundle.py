"""Offline verification of a bundle from the hash of the genesis alone.

No clock: a receipt is judged at its own time. The order of the checks is fixed, and the first
fault is the one that is named.
"""

from . import charter, limits
from .fault import Fault, of_format
from .messages import CANCELLED, CAUSES, CLIENT, ERROR, EXACT, LENGTH, ROLE_HOME, STOP, read
from .claims import check_claims, check_records
from .log import Logged
from .rules import commitment, is_within, not_before, permits
from .signed import opened, sha256
from .stages import Stages
from .wire import FormatError, Message

SAMPLER = "gumbel-2"
REASONS = {STOP: "stop", LENGTH: "length", ERROR: "error", CANCELLED: "cancelled"}


def verify(data, genesis, known=(), now=limits.U64_MAX):
    """What a bundle shows; a Fault if it does not hold.

    `known` are charters that the reader has, `now` is the reader's time: no witness has seen
    anything later.
    """
    try:
        bundle = read("Bundle", data, limits.BUNDLE_BYTES_MAX)
    except FormatError as error:
        raise of_format(error, "bundle") from None
    chain = charter.of_bundle(bundle.charters, genesis, known)
    receipt = opened(bundle.receipt, "Receipt", "receipt", genesis, "E_SIG_HOME", "receipt")
    rules = chain.by_hash(receipt.charter)
    if rules is None:
        raise Fault("E_CHARTER_VERSION", "receipt.charter", "no version that the bundle has")
    if not charter.is_valid(rules.created_at_ms, rules.expires_at_ms, receipt.opened_at_ms):
        raise Fault("E_CHARTER_TIME", "receipt.opened_at", "the charter was not in force")
    return Verification(bundle, genesis, chain, rules, receipt).run(now)


def open_policy():
    """The policy of a request that names none: it restricts nothing and states nothing."""
    policy = Message("Policy", b"")
    policy.name, policy.recovery, policy.audit = "open", EXACT, 1
    return policy


class Place:
    """One node as charter and roster name it."""

    def __init__(self, institution, node):
        self.institution, self.peer = institution.id, node.peer
        self.jurisdiction, self.parent = node.jurisdiction, institution.parent_country
        self.roles, self.purposes = node.roles, institution.purposes
        self.data_class_max = institution.data_class_max


class Verification:
    """What the checks of single parts look at."""

    def __init__(self, bundle, genesis, chain, rules, receipt):
        self.bundle, self.genesis, self.chain, self.receipt = bundle, genesis, chain, receipt
        self.charter = rules
        self.manifest = self.rosters = None

    def run(self, now):
        bundle, receipt = self.bundle, self.receipt
        self.check_manifest()
        self.check_route()
        self.check_rosters()
        home = self.check_home()
        self.check_policy(home)
        record = self.check_open_record()
        check_claims(receipt, self.manifest)
        self.check_body()
        stages = Stages(self).run()
        involved = {home.institution} | {stage.place.institution for stage in stages}
        for index, roster in enumerate(self.rosters):
            if roster.institution not in involved:
                raise Fault("E_ROSTER_SET", f"rosters[{index}]", "lists nobody involved")
        check_records(bundle, record, stages, receipt)
        acknowledged_by = self.check_acknowledgement()
        logged = Logged(self, now)
        logged.check_revocations(home, stages)
        whole = receipt.finish_reason in (STOP, LENGTH)
        signed = all(stage.signed for stage in stages)
        return {
            "verified": True,
            "complete": whole and signed and bundle.opening is not None,
            "witnessed": logged.witnessed_at is not None,
            "cosigned": logged.times,
            "consortium": self.charter.name,
            "receipt": sha256(bundle.receipt.payload).hex(),
            "session": receipt.session.hex(),
            "manifest": receipt.manifest.hex(),
            "model": self.manifest.name,
            "policy": receipt.policy.name,
            "home": home.institution,
            "stages": [stage.place.institution for stage in stages],
            "finish_reason": REASONS[receipt.finish_reason],
            "cause": CAUSES[receipt.cause - 1] if receipt.cause else None,
            "acknowledged_by": acknowledged_by and acknowledged_by.hex(),
        }

    def check_manifest(self):
        """The model is the one the receipt names, and the charter allows it."""
        digest = sha256(self.bundle.manifest)
        if self.receipt.manifest != digest:
            raise Fault("E_MISMATCH", "receipt.manifest", "differs from the manifest's digest")
        if self.charter.models and digest not in self.charter.models:
            raise Fault("E_MODEL", "receipt.manifest", "the charter does not allow this model")
        try:
            self.manifest = read("Manifest", self.bundle.manifest)
        except FormatError as error:
            raise of_format(error, "manifest") from None

    def check_route(self):
        """Stages of distinct peers tile the model's blocks, in order."""
        stages, end = self.receipt.stages, 0
        for stage in stages:
            if stage.blocks.start != end:
                raise Fault("E_TILING", "receipt.stages", "a gap or an overlap")
            end = stage.blocks.end
        if len({stage.peer for stage in stages}) != len(stages):
            raise Fault("E_TILING", "receipt.stages", "a peer twice")
        if not stages or end != self.manifest.block_count:
            raise Fault("E_TILING", "receipt.stages", "not every block once")

    def check_rosters(self):
        """Each institution's list of nodes, valid when the request was taken or when it ended."""
        self.rosters = []
        keys = {member.roster_key: member for member in self.charter.institutions}
        for index, signed in enumerate(self.bundle.rosters):
            field = f"rosters[{index}]"
            member = keys.get(signed.signer)
            if member is None:
                raise Fault("E_ROSTER", field, "signed by no institution's roster key")
            try:
                roster = opened(signed, "Roster", "roster", self.genesis, "E_ROSTER", field)
            except Fault as fault:
                raise Fault("E_ROSTER", field, fault.detail) from None
            if roster.institution != member.id:
                raise Fault("E_ROSTER", field, "signed in another's name")
            span = (roster.issued_at_ms, roster.expires_at_ms)
            times = (self.receipt.opened_at_ms, self.receipt.closed_at_ms)
            lawful = charter.check_life(*span, limits.ROSTER_LIFE_MAX)
            if not lawful or not any(charter.is_valid(*span, time) for time in times):
                raise Fault("E_ROSTER", field, "not valid at the time of the request")
            if self.rosters and self.rosters[-1].institution >= roster.institution:
                raise Fault("E_ROSTER_SET", field, "out of order")
            self.rosters.append(roster)

    def place(self, peer, role, field):
        """The one roster that lists `peer` gives it `role`."""
        found = []
        for roster in self.rosters:
            nodes = (node for node in roster.nodes if node.peer == peer)
            found += [Place(self.charter.members[roster.institution], node) for node in nodes]
        if len(found) != 1:
            raise Fault("E_MEMBER", field, f"on {len(found)} of the rosters, expected 1")
        if role not in found[0].roles:
            raise Fault("E_ROLE", field, "the roster does not give this role")
        return found[0]

    def check_home(self):
        home = self.place(self.bundle.receipt.signer, ROLE_HOME, "receipt.signer")
        for name in ("institution", "jurisdiction"):
            if getattr(self.receipt, name) != getattr(home, name):
                raise Fault("E_MISMATCH", f"receipt.{name}", "differs from home's roster")
        if self.receipt.sampler != SAMPLER:
            raise Fault("E_SAMPLER", "receipt.sampler", "unknown sampler")
        return home

    def check_policy(self, home):
        """The policy is the charter's or stricter, and home is within it."""
        policy = self.receipt.policy
        rules = {rule.name: rule for rule in (*self.charter.policies, open_policy())}
        if policy.name not in rules or not is_within(policy, rules[policy.name]):
            raise Fault("E_POLICY_NAME", "receipt.policy", "not the charter's, nor stricter")
        if not permits(policy, home, home.institution):
            raise Fault("E_POLICY", "receipt.policy", "home is outside the policy")

    def check_open_record(self):
        """Home's record of the request, made before it answered."""
        signed, receipt = self.bundle.open_record, self.receipt
        if signed.signer != self.bundle.receipt.signer:
            raise Fault("E_SIG_HOME", "open_record", "signed by another")
        record = opened(
            signed, "OpenRecord", "record-open", self.genesis, "E_SIG_HOME", "open_record"
        )
        if receipt.open_record != sha256(signed.payload):
            raise Fault("E_MISMATCH", "receipt.open_record", "differs from its digest")
        pairs = (
            ("session", record.session, receipt.session),
            ("institution", record.institution, receipt.institution),
            ("manifest", record.manifest, receipt.manifest),
            ("policy", record.policy, sha256(receipt.policy.raw)),
            ("opened_at", record.opened_at_ms, receipt.opened_at_ms),
            ("charter", record.charter, receipt.charter),
        )
        for name, left, right in pairs:
            if left != right:
                raise Fault("E_MISMATCH", f"receipt.{name}", "differs from the open record")
        not_before(receipt.closed_at_ms, receipt.opened_at_ms, "receipt.closed_at")
        return record

    def check_body(self):
        """The opening, if there is one, opens every commitment."""
        opening, receipt = self.bundle.opening, self.receipt
        if opening is None:
            return
        values = {
            "sampling": opening.sampling.raw,
            "prompt": b"".join(token.to_bytes(4, "little") for token in opening.prompt),
            "output": b"".join(token.to_bytes(4, "little") for token in opening.output),
            "text": opening.text.encode(),
            "system": opening.system_prompt.encode(),
            "client": opening.client,
        }
        names = {label: "system_prompt" if label == "system" else label for label in values}
        wrong = [
            names[label]
            for label, value in values.items()
            if commitment(opening.salt, label, value) != getattr(receipt, names[label])
        ]
        if wrong:
            field = "salt" if len(wrong) == len(values) else wrong[0]
            raise Fault("E_COMMITMENT", f"opening.{field}", "does not open the commitment")
        if opening.system_prompt and receipt.system_prompt_by != CLIENT:
            raise Fault("E_SYSTEM_PROMPT", "opening.system_prompt", "the client sent none")
        for name in ("prompt", "output"):
            if len(getattr(opening, name)) != getattr(receipt, f"{name}_tokens"):
                raise Fault("E_MISMATCH", f"receipt.{name}_tokens", "differs from the opening")
        if receipt.output_tokens > opening.sampling.max_tokens:
            raise Fault("E_MISMATCH", "receipt.output_tokens", "more than were asked for")

    def check_acknowledgement(self):
        """The key that countersigned, if one did."""
        signed = self.bundle.acknowledgement
        if signed is None:
            return None
        said = opened(
            signed,
            "Acknowledgement",
            "acknowledgement",
            self.genesis,
            "E_SIG_CLIENT",
            "acknowledgement",
        )
        if said.receipt != sha256(self.bundle.receipt.payload):
            field = "acknowledgement.receipt"
            raise Fault("E_MISMATCH", field, "differs from the receipt's digest")
        received = limits.later(said.received_at_ms, limits.CLOCK_SKEW_MAX)
        not_before(received, self.receipt.closed_at_ms, "acknowledgement.received_at")
        return signed.signer
