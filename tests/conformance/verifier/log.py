"""Proof that a record is in a log, and who has witnessed it."""

from . import limits
from .fault import Fault
from .note import COSIGNATURE, NOTE, Key, NoteError, checkpoint
from .rules import not_before
from .signed import sha256


def leaf_hash(record):
    return sha256(b"\0", record)


def node_hash(left, right):
    return sha256(b"\1", left, right)


def is_included(leaf, index, size, root, hashes):
    """Whether the leaf is number `index` of the `size` under `root`: RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    node, last, digest = index, size - 1, leaf
    for other in hashes:
        if last == 0:
            return False
        if node & 1 or node == last:
            digest = node_hash(other, digest)
            while node and not node & 1:
                node, last = node >> 1, last >> 1
        else:
            digest = node_hash(digest, other)
        node, last = node >> 1, last >> 1
    return last == 0 and digest == root


def log_key(genesis, peer):
    """The key that signs a node's checkpoints; its name is that of the log."""
    return Key(f"comity/log/{genesis.hex()}/{peer.hex()}", peer, NOTE)


def witness_key(genesis, institution, public):
    return Key(f"comity/witness/{genesis.hex()}/{institution}", public, COSIGNATURE)


class Logged:
    """What the proof in a bundle shows: who saw the receipt in home's log, and when.

    `times` maps institutions to the first time at which their witness saw it, in milliseconds;
    `witnessed_at` is when as many had as the charter asks for, None if they have not.
    """

    def __init__(self, verification, now):
        self.chain, self.times, self.witnessed_at = verification.chain, {}, None
        chain, receipt, genesis = self.chain, verification.receipt, verification.genesis
        proof, signed = verification.bundle.proof, verification.bundle.receipt
        if proof is None:
            return
        if proof.index + 1 != receipt.sequence:
            raise Fault("E_SEQUENCE", "proof.index", "not the receipt's place")
        # Who has left could say any time, and home's own institution does not count.
        witnesses = [
            (member.id, key)
            for member in chain.current.institutions
            if member.id != receipt.institution
            for key in chain.witness_keys(member.id)
        ]
        try:
            root, size = self.read(proof.note, genesis, signed.signer, witnesses, now)
        except NoteError as error:
            raise Fault("E_CHECKPOINT", "proof", str(error)) from None
        if not is_included(leaf_hash(signed.raw), proof.index, size, root, proof.hashes):
            raise Fault("E_INCLUSION", "proof", f"record {proof.index} is not at its place")
        times = sorted(self.times.values())
        if times:
            # Nobody has seen it before it was.
            seen = limits.later(times[0], limits.CLOCK_SKEW_MAX)
            not_before(seen, receipt.closed_at_ms, "proof.checkpoint")
        needed = max(1, verification.charter.witnesses)
        if len(times) >= needed:
            self.witnessed_at = times[needed - 1]

    def read(self, note, genesis, peer, witnesses, now):
        """Root and size of the checkpoint, if the log and whoever else is known signed it."""
        log = log_key(genesis, peer)
        valid = note.verified([log] + [witness_key(genesis, *witness) for witness in witnesses])
        if not any(index == 0 for index, _ in valid):
            raise NoteError("the log has not signed the checkpoint")
        origin, size, root = checkpoint(note.text)
        if origin != log.name:
            raise NoteError("checkpoint of another log")
        for index, seconds in valid:
            if index == 0:
                continue
            institution, time = witnesses[index - 1][0], min(seconds * 1_000, limits.U64_MAX)
            if time > limits.later(now, limits.CLOCK_SKEW_MAX):
                raise Fault("E_WITNESS_TIME", "proof", f"{institution} cosigned in the future")
            self.times[institution] = min(time, self.times.get(institution, time))
        return root, size

    def check_revocations(self, home, stages):
        """Whoever signed had not been revoked when witnesses saw it."""
        places = [("receipt.signer", home)]
        places += [(f"receipt.stages[{it}]", stage.place) for it, stage in enumerate(stages)]
        for field, place in places:
            revoked_at = self.chain.revoked_at(place.institution, place.peer)
            if revoked_at is None:
                continue
            if self.witnessed_at is None or self.witnessed_at >= revoked_at:
                raise Fault("E_REVOKED", field, f"revoked at {revoked_at} ms")
