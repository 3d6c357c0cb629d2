"""What the stages of a request signed: who, which blocks, how far, and where they meet."""

from . import limits
from .fault import Fault
from .messages import LENGTH, ROLE_STAGE, STOP
from .rules import not_before, permits_blocks
from .signed import opened, sha256


class Stage:
    """One stage and what it signed, if it did."""

    def __init__(self, place, signed, index=None, receipt=None):
        self.place, self.signed, self.index, self.receipt = place, signed, index, receipt

    @property
    def path(self):
        return f"stage_receipts[{self.index}]"


class Stages:
    """The checks of a bundle's stage receipts."""

    def __init__(self, verification):
        self.all = verification
        self.bundle, self.home = verification.bundle, verification.receipt

    def run(self):
        """Every stage of the route, in order."""
        stages, taken = [], 0
        envelopes = self.bundle.stage_receipts
        for number, route in enumerate(self.home.stages):
            field = f"receipt.stages[{number}]"
            place = self.all.place(route.peer, ROLE_STAGE, field)
            count = self.all.manifest.block_count
            home = self.home.institution
            if not permits_blocks(self.home.policy, place, home, route.blocks, count):
                raise Fault("E_POLICY", field, "the stage is outside the policy")
            signed = number not in self.home.unsigned_stages
            stage = Stage(place, signed)
            if taken < len(envelopes) and (envelopes[taken].signer == route.peer or signed):
                stage.index = taken
                stage.receipt = self.read(stage, number, route)
                taken += 1
            stages.append(stage)
        if taken < len(envelopes):
            raise Fault("E_COUNTERSIGN", f"stage_receipts[{taken}]", "one too many")
        self.check_countersignatures()
        self.check_spans(stages)
        check_boundaries(stages)
        self.check_work([stage for stage in stages if stage.receipt])
        return stages

    def read(self, stage, number, route):
        """The receipt that a stage signed, if it says what the others do."""
        home, path, place = self.home, stage.path, stage.place
        envelope = self.bundle.stage_receipts[stage.index]
        if envelope.signer != route.peer:
            raise Fault("E_SIG_STAGE", f"{path}.signer", "signed by another")
        genesis = self.all.genesis
        said = opened(envelope, "StageReceipt", "stage-receipt", genesis, "E_SIG_STAGE", path)
        blocks = self.all.manifest.blocks[route.blocks.start : route.blocks.end]
        pairs = (
            ("session", said.session, home.session),
            ("institution", said.institution, place.institution),
            ("jurisdiction", said.jurisdiction, place.jurisdiction),
            ("stage", said.stage, number),
            ("blocks", said.blocks.raw, route.blocks.raw),
            ("manifest", said.manifest, home.manifest),
            ("shard", said.shard, sha256(*blocks)),
            ("numeric_class", said.numeric_class, home.numeric_class),
            ("home", said.home, self.bundle.receipt.signer),
            ("home_institution", said.home_institution, home.institution),
        )
        for name, left, right in pairs:
            if left != right:
                raise Fault("E_MISMATCH", f"{path}.{name}", "differs from what others say")
        # The stage's clock and home's may differ; one clock does not run backwards.
        skew = limits.CLOCK_SKEW_MAX
        started, ended = said.started_at_ms, said.signed_at_ms
        not_before(limits.later(started, skew), home.opened_at_ms, f"{path}.started_at")
        not_before(ended, started, f"{path}.signed_at")
        not_before(limits.later(home.closed_at_ms, skew), ended, f"{path}.signed_at")
        return said

    def check_countersignatures(self):
        """Home's receipt lists exactly the stage receipts of the bundle."""
        listed = self.home.stage_receipts
        there = [sha256(envelope.payload) for envelope in self.bundle.stage_receipts]
        for index in range(max(len(listed), len(there))):
            if listed[index : index + 1] != there[index : index + 1]:
                field = f"receipt.stage_receipts[{index}]"
                raise Fault("E_COUNTERSIGN", field, "home countersigned another")

    def check_spans(self, stages):
        """Which stages signed how far, against the tokens and what home says is unsigned."""
        home = self.home
        known = all(number < len(stages) for number in home.unsigned_stages)
        silent = any(stage.signed and stage.receipt is None for stage in stages)
        whole = home.finish_reason in (STOP, LENGTH)
        if not known or silent or (whole and home.unsigned_stages):
            raise Fault("E_UNSIGNED", "receipt.unsigned_stages", "not those that did not sign")
        least, most = self.bounds()
        reached = next((it.receipt.positions for it in stages if it.signed), None)
        for stage in stages:
            if stage.receipt is None:
                continue
            got = stage.receipt.positions
            fits = got <= most
            if reached is not None and stage.signed:
                fits = fits and got >= least and got == reached
            elif reached is not None:
                fits = fits and got < reached
            if not fits:
                raise Fault("E_POSITIONS", f"{stage.path}.positions", f"{got} positions")

    def bounds(self):
        """Fewest and most positions that can have gone round for the tokens that home counts.

        The last token of an answer is drawn from the position before it. It goes round only if the
        answer went on: never if it met its bound, perhaps if it ended otherwise.
        """
        home = self.home
        total = home.prompt_tokens + home.output_tokens
        but_last = total - 1 if home.output_tokens else total
        if home.finish_reason == LENGTH:
            return but_last, but_last
        return (but_last if home.finish_reason == STOP else 0), total

    def check_work(self, stages):
        """What each stage says it computed fits its positions, the manifest and home's count."""
        before, whole = None, self.home.finish_reason in (STOP, LENGTH)
        for stage in stages:
            said, blocks = stage.receipt, stage.receipt.blocks
            parameters = sum(self.all.manifest.active_parameters[blocks.start : blocks.end])
            if said.parameters != parameters:
                raise Fault("E_WORK", f"{stage.path}.parameters", "contradicts the manifest")
            if said.computed < said.positions - said.cached:
                raise Fault("E_WORK", f"{stage.path}.computed", "fewer than were signed")
            if whole and before not in (None, said.computed):
                raise Fault("E_WORK", f"{stage.path}.computed", "not as many as before")
            before = said.computed
            fields = ("stage", "institution", "computed", "parameters")
            counted = self.home.work[stage.index]
            if any(getattr(counted, name) != getattr(said, name) for name in fields):
                field = f"receipt.work[{stage.index}]"
                raise Fault("E_WORK", field, "contradicts the stage receipt")


def check_boundaries(stages):
    """What a stage received the one before it sent, and where one began to compute, all did."""
    for before, after in zip(stages, stages[1:]):
        if before.receipt is None or after.receipt is None:
            continue
        left, right = before.receipt, after.receipt
        if left.positions == right.positions and left.output != right.input:
            raise Fault("E_BOUNDARY", f"{after.path}.input", "not what the stage before sent")
        if min(left.cached, right.positions) != min(right.cached, left.positions):
            raise Fault("E_MISMATCH", f"{after.path}.cached", "differs from the stage before")
