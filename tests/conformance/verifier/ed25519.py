"""Ed25519 verification, strict. Not signing, and not in constant time: nothing here is secret.

Source: RFC 8032, section 5.1. Strict means: S is below the order of the group, neither the key nor
R has small order, R has its one encoding, and the equation holds without the cofactor.
"""

import functools
import hashlib

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
# Extended homogeneous coordinates (X, Y, Z, T): x = X / Z, y = Y / Z, x * y = T / Z.
NEUTRAL = (0, 1, 1, 0)


def add(p, q):
    """The sum of two points; complete, so that it also doubles."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def double(p):
    """Twice a point, with fewer products than `add`."""
    a, b = p[0] * p[0] % P, p[1] * p[1] % P
    h = a + b
    e = h - (p[0] + p[1]) * (p[0] + p[1]) % P
    g = a - b
    f = 2 * p[2] * p[2] % P + g
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def decompress(encoded):
    """The point of 32 bytes, or None if there is none.

    As in RFC 8032, 5.1.3, but that y may be P or more and that x = 0 may have a sign: what that
    admits is of small order or of unknown discrete logarithm, and refused later if it matters.
    """
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P != u:
        x = x * ROOT_OF_MINUS_ONE % P
        if v * x * x % P != u:
            return None
    if x & 1 != sign:
        x = (P - x) % P
    return (x, y, 1, x * y % P)


def compress(p):
    """The one encoding of a point."""
    inverse = pow(p[2], P - 2, P)
    x, y = p[0] * inverse % P, p[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def is_neutral(p):
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0


def has_small_order(p):
    """Whether eight times the point is nothing."""
    return is_neutral(double(double(double(p))))


def negate(p):
    return (P - p[0], p[1], p[2], P - p[3])


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = decompress(BASE_Y.to_bytes(32, "little"))


def combine(s, k, point):
    """s * BASE + k * point, both read from the top bit on."""
    both = add(BASE, point)
    table = (None, BASE, point, both)
    total = NEUTRAL
    for bit in range(max(s.bit_length(), k.bit_length()) - 1, -1, -1):
        total = double(total)
        summand = table[(s >> bit & 1) | (k >> bit & 1) << 1]
        if summand is not None:
            total = add(total, summand)
    return total


# Many bundles carry the same charters and rosters.
@functools.lru_cache(maxsize=4_096)
def verify(public, message, signature):
    """Whether `signature`, 64 bytes, is `public`'s, 32 bytes, over `message`."""
    if len(public) != 32 or len(signature) != 64:
        return False
    key, r = decompress(public), decompress(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or r is None or s >= ORDER:
        return False
    if has_small_order(key) or has_small_order(r):
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    k = int.from_bytes(digest, "little") % ORDER
    return compress(combine(s, k, negate(key))) == signature[:32]
