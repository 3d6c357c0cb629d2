"""The versions of a charter from the genesis on: who must agree to each, and which is in force."""

from . import limits
from .fault import Fault
from .messages import read
from .signed import holds, sha256
from .wire import FormatError

NO_CHARTER = bytes(32)


class CharterError(Exception):
    """Why a version is not accepted; `code` is the fault that it makes of a bundle."""

    def __init__(self, problem, code="E_CHARTER"):
        super().__init__(problem)
        self.code = code


def check_life(since, until, longest):
    """Whether a validity is not empty and no longer than its kind may be."""
    return since < until <= since + longest


def is_valid(since, until, now):
    """Whether `now` is in a validity, the issuer's clock perhaps being ahead."""
    return since <= limits.later(now, limits.CLOCK_SKEW_MAX) and now < until


def unverified(signed):
    """The charter in an envelope, whoever signed it, if it does not contradict itself."""
    try:
        charter = read("Charter", signed.payload)
    except FormatError as error:
        raise CharterError(str(error)) from None
    charter.members = {member.id: member for member in charter.institutions}
    charter.revoked = {(it.institution, it.peer): it for it in charter.revocations}
    charter.hash = sha256(signed.payload)
    if bool(charter.previous) != (charter.version > 1):
        raise CharterError("names a version before it, or does not")
    if not check_life(charter.created_at_ms, charter.expires_at_ms, limits.CHARTER_LIFE_MAX):
        raise CharterError("life empty or too long")
    keys = [key for key, _ in owners(charter)]
    if len(set(keys)) != len(keys):
        raise CharterError("one key for two institutions or purposes")
    if charter.witnesses >= len(charter.institutions):
        raise CharterError("more witnesses than other institutions")
    for member in charter.members:
        if (member, b"") in charter.revoked:
            raise CharterError(f"{member} is a member and revoked")
    return charter


def owners(charter):
    """Every key of a charter with its owner and purpose."""
    for member in charter.institutions:
        yield member.root_key, (member.id, "root")
        yield member.roster_key, (member.id, "roster")
        yield member.witness_key, (member.id, "witness")


def signers(signed, charters):
    """The keys that signed: each a root key of one of `charters`, each signature good."""
    roots = {member.root_key for charter in charters for member in charter.institutions}
    for entry in signed.signatures:
        if entry.signer not in roots:
            raise CharterError(f"key {entry.signer.hex()} is no institution's root key")
        if not holds("charter", NO_CHARTER, signed.payload, entry.signer, entry.signature):
            raise CharterError(f"signature of {entry.signer.hex()} does not hold")
    return {entry.signer for entry in signed.signatures}


def is_membership(old, new):
    """Whether institutions joined, left or were revoked, and nothing else changed."""
    kept = [member for member in old.institutions if member.id in new.members]
    if any(member.raw != new.members[member.id].raw for member in kept):
        return False
    rules = "name expires_at_ms models audit_rate_millionths witnesses".split()
    if any(getattr(old, rule) != getattr(new, rule) for rule in rules):
        return False
    return [policy.raw for policy in old.policies] == [policy.raw for policy in new.policies]


class Chain:
    """Verified charters of one consortium, in order."""

    def __init__(self, genesis):
        charter = unverified(genesis)
        if charter.previous:
            raise CharterError("not a genesis")
        signed = signers(genesis, [charter])
        for member in charter.institutions:
            if member.root_key not in signed:
                raise CharterError(f"{member.id} has not signed", "E_CHARTER_THRESHOLD")
        self.signed, self.charters = [genesis], [charter]
        self.owners = dict(owners(charter))

    @property
    def current(self):
        return self.charters[-1]

    def by_hash(self, digest):
        """The version with this hash, if there is one."""
        return next((charter for charter in self.charters if charter.hash == digest), None)

    def witness_keys(self, institution):
        """Every key with which an institution has witnessed."""
        members = (charter.members.get(institution) for charter in self.charters)
        return sorted({member.witness_key for member in members if member is not None})

    def revoked_at(self, institution, peer):
        """From when on a node or its institution does not count; None if both do."""
        revoked = self.current.revoked
        times = [revoked[it].at_ms for it in ((institution, b""), ("", peer)) if it in revoked]
        return min(times, default=None)

    def merge(self, charters):
        """Takes in consecutive versions, some of which may be held; returns how many were new."""
        added = 0
        for signed in charters:
            index = unverified(signed).version - 1
            if index >= len(self.signed):
                self.extend(signed)
                added += 1
            elif self.signed[index].payload != signed.payload:
                self.contradict(index, signed)
        return added

    def contradict(self, index, signed):
        """Another version of a number that is held: a fork if it is valid, else just wrong."""
        if index == 0:
            raise CharterError("another genesis")
        branch = Chain(self.signed[0])
        for earlier in self.signed[1:index]:
            branch.extend(earlier)
        branch.extend(signed)
        raise CharterError(f"two versions {index + 1} are signed", "E_CHARTER_FORK")

    def extend(self, signed):
        """Appends the next version, if the institutions of the newest one and its own agree."""
        old, new = self.current, unverified(signed)
        self.follows(old, new)
        signed_by = signers(signed, [new, old])
        for member in new.institutions:
            before = old.members.get(member.id)
            known = before is not None and before.root_key == member.root_key
            if not known and member.root_key not in signed_by:
                raise CharterError(f"{member.id} has not signed", "E_CHARTER_THRESHOLD")
        for charter in (old, new):
            count = len(charter.institutions)
            needed = count // 2 + 1 if is_membership(old, new) else (2 * count + 2) // 3
            got = sum(member.root_key in signed_by for member in charter.institutions)
            if got < needed:
                problem = f"{needed} of {count} institutions needed, {got} signed"
                raise CharterError(problem, "E_CHARTER_THRESHOLD")
        self.owners.update(owners(new))
        self.signed.append(signed)
        self.charters.append(new)

    def follows(self, old, new):
        """Whether `new` may follow `old`, whoever signed it."""
        if len(self.charters) >= limits.CHARTERS_MAX:
            raise CharterError("too many versions")
        if new.version != old.version + 1 or new.previous != old.hash:
            raise CharterError("not the version that follows")
        if new.created_at_ms < old.created_at_ms:
            raise CharterError("created before the version before it")
        for key, owner in owners(new):
            if self.owners.get(key, owner) != owner:
                raise CharterError("a key that served another institution or purpose")
        for revoked, revocation in old.revoked.items():
            if revoked not in new.revoked or new.revoked[revoked].raw != revocation.raw:
                raise CharterError("a revocation was dropped or changed")
        for member in old.members:
            if member not in new.members and (member, b"") not in new.revoked:
                raise CharterError(f"{member} was removed without a revocation")


def of_bundle(charters, genesis, known):
    """The chain in a bundle, and what follows it as far as the reader knows."""
    if not charters or sha256(charters[0].payload) != genesis:
        raise Fault("E_GENESIS", "charters[0]", "another consortium")
    chain, field = None, "charters[0]"
    try:
        chain = Chain(charters[0])
        for index, charter in enumerate(charters[1:], 1):
            field = f"charters[{index}]"
            if chain.merge([charter]) == 0:
                raise CharterError("a version that is there twice")
        field = "charters"
        chain.merge(known)
    except CharterError as error:
        raise Fault(error.code, field, str(error)) from None
    return chain
