"""What this verifier must do by itself: signatures as RFC 8032 has them, and none of the others."""

import hashlib

from . import ed25519, selftest_notes, selftest_schema
from .log import is_included, leaf_hash, node_hash
from .signed import holds, sha256

# RFC 8032, section 7.1: public key, message, signature.
RFC_8032 = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
        "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da0"
        "85ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac1"
        "8ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b5890"
        "9351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
)

# A point of order 8: y as in many lists of such points.
ORDER_8 = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"
# Domains whose names are not those of their vectors.
DOMAINS = {
    "open_record": "record-open",
    "abort_record": "record-abort",
    "countersigned_record": "record-countersigned",
    "succession_record": "record-succession",
}


def run(folder):
    """Problems found, one line each."""
    notes, schema = selftest_notes.run(), selftest_schema.run()
    checks = (*published(), *strict(), *committed(folder), *trees(), *notes, *schema)
    return [f"self-test: {name}" for name, passed in checks if not passed]


def published():
    for number, (public, message, signature) in enumerate(RFC_8032, 1):
        public, message = bytes.fromhex(public), bytes.fromhex(message)
        signature = bytes.fromhex(signature)
        yield f"RFC 8032, vector {number}", ed25519.verify(public, message, signature)
        for index in range(0, 64, 7):
            changed = bytearray(signature)
            changed[index] ^= 1
            refused = not ed25519.verify(public, message, bytes(changed))
            yield f"RFC 8032, vector {number}, byte {index} changed", refused
        other = message + b"\0"
        yield f"RFC 8032, vector {number}, continued", not ed25519.verify(public, other, signature)


def times(scalar, point):
    """A multiple of a point, by the one routine that is checked here."""
    return ed25519.combine(0, scalar, point)


def challenge(r, public, message):
    digest = hashlib.sha512(r + public + message).digest()
    return int.from_bytes(digest, "little") % ed25519.ORDER


def is_equal(p, q):
    return ed25519.is_neutral(ed25519.add(p, ed25519.negate(q)))


def strict():
    """Signatures whose equation holds, or holds eight times, and which are refused all the same."""
    order, base = ed25519.ORDER, ed25519.BASE
    torsion = ed25519.decompress(bytes.fromhex(ORDER_8))
    yield "the order of the base", ed25519.is_neutral(times(order, base))
    yield "the order of a small point", ed25519.has_small_order(torsion)
    yield "its order is 8", not ed25519.is_neutral(times(4, torsion))
    secret, nonce = 123_456_789, 987_654_321
    public = ed25519.compress(times(secret, base))
    r = ed25519.compress(times(nonce, base))

    def signature(r, s):
        return r + s.to_bytes(32, "little")

    s = (nonce + challenge(r, public, b"a") * secret) % order
    yield "a signature", ed25519.verify(public, b"a", signature(r, s))
    yield "S past the order", not ed25519.verify(public, b"a", signature(r, s + order))
    neutral = ed25519.compress(ed25519.NEUTRAL)
    s = challenge(neutral, public, b"a") * secret % order
    yield "R of small order", not ed25519.verify(public, b"a", signature(neutral, s))
    mixed = ed25519.compress(ed25519.add(times(secret, base), torsion))
    for index in range(8):
        small = times(index, torsion)
        key, messages = ed25519.compress(small), (str(n).encode() for n in range(1_000))
        fits = (m for m in messages if challenge(r, key, m) * index % 8 == 0)
        refused = not ed25519.verify(key, next(fits), signature(r, nonce))
        yield f"key {index} of small order", refused
        message = str(index).encode()
        k = challenge(r, mixed, message)
        verdict = ed25519.verify(mixed, message, signature(r, (nonce + k * secret) % order))
        yield f"no cofactor: key of mixed order, message {index}", verdict == (k % 8 == 0)
    yield "no point", ed25519.decompress((2).to_bytes(32, "little")) is None
    large = (ed25519.P + 1).to_bytes(32, "little")
    yield "y past P", is_equal(ed25519.decompress(large), ed25519.NEUTRAL)


def committed(folder):
    """The signatures that stand beside the bundles, each over one domain."""
    expanded = bytearray(hashlib.sha512(bytes([7] * 32)).digest()[:32])
    expanded[0] &= 248
    expanded[31] = expanded[31] & 63 | 64
    scalar = int.from_bytes(expanded, "little")
    public = ed25519.compress(times(scalar, ed25519.BASE))
    charter, files = sha256(b"a charter"), sorted(folder.glob("signatures/*.hex"))
    yield "the signatures are there", len(files) >= 8
    for file in files:
        domain = DOMAINS.get(file.stem, file.stem.replace("_", "-"))
        signature = bytes.fromhex("".join(file.read_text().split()))
        signed = (charter, b"what is signed", public, signature)
        yield f"signature {domain}", holds(domain, *signed)
        yield f"signature {domain} as another", not holds(f"{domain}s", *signed)


def tree(leaves):
    """The root over leaves' hashes, as RFC 6962, 2.1, defines it."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return node_hash(tree(leaves[:split]), tree(leaves[split:]))


def path(index, leaves):
    """The hashes that prove a leaf: RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    split = 1 << (len(leaves) - 1).bit_length() - 1
    if index < split:
        return path(index, leaves[:split]) + [tree(leaves[split:])]
    return path(index - split, leaves[split:]) + [tree(leaves[:split])]


def trees():
    """Every proof in every small tree holds at its place, and nowhere else."""
    leaves = [leaf_hash(bytes([number])) for number in range(9)]
    for size in range(1, 10):
        root, count = tree(leaves[:size]), 0
        for index in range(size):
            hashes = path(index, leaves[:size])
            for claimed in (*range(size + 1), 2**63, 2**64 - 1):
                held = is_included(leaves[index], claimed, size, root, hashes)
                count += held == (claimed == index)
            short = is_included(leaves[index], index, size, root, hashes[:-1])
            long = is_included(leaves[index], index, size, root, [*hashes, root])
            count += not long and (not short or not hashes)
        yield f"proofs in a tree of {size}", count == size * (size + 4)
