"""Texts signed by any number of keys, and what a log says of itself in one.

Sources: C2SP signed-note, tlog-checkpoint and tlog-cosignature.
"""

import base64
import binascii
import hashlib

from . import ed25519, limits

NOTE, COSIGNATURE = 1, 4
DASH = "\u2014 "
SPACES = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"
    + "".join(map(chr, range(0x2000, 0x200B)))
)


class NoteError(Exception):
    """Why a text is no note, or a note is not believed."""


def unbase64(text):
    """Standard base64; no other text stands for the same bytes."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise NoteError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError("not base64")
    return data


class Key:
    """A key that the reader knows: its name in notes, its id, and what it signs."""

    def __init__(self, name, public, scheme):
        self.name, self.public, self.scheme = name, public, scheme
        self.id = hashlib.sha256(name.encode() + bytes((0x0A, scheme)) + public).digest()[:4]

    def check(self, text, signature):
        """The seconds that a signature carries, or None; NoteError if it does not hold."""
        seconds = None
        if self.scheme == COSIGNATURE:
            seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
            if seconds >= 2**63:
                raise NoteError(f"no time that a cosignature of {self.name} can have")
            text = f"cosignature/v1\ntime {seconds}\n{text}"
        if "\0" in text or not ed25519.verify(self.public, text.encode(), signature):
            raise NoteError(f"signature of {self.name} does not hold")
        return seconds


class Note:
    """A text with its signatures' lines: well-formed, but nothing is known of them yet."""

    def __init__(self, note):
        if len(note.encode()) > limits.NOTE_BYTES_MAX:
            raise NoteError("too long")
        head, gap, tail = note.rpartition("\n\n")
        if not gap:
            raise NoteError("no empty line")
        self.text = head + "\n"
        if any(char < " " and char != "\n" for char in self.text):
            raise NoteError("a control character")
        lines = tail.split("\n")
        if lines.pop():
            raise NoteError("no final line feed")
        if not lines:
            raise NoteError("no signature")
        if len(lines) > limits.NOTE_SIGNATURES_MAX:
            raise NoteError("too many signatures")
        self.lines = [self.line(line) for line in lines]

    @staticmethod
    def line(line):
        name, space, signature = line[len(DASH) :].partition(" ")
        if not line.startswith(DASH) or not space:
            raise NoteError("no line of a signature")
        if not name or any(char in SPACES or char < " " or char == "+" for char in name):
            raise NoteError("no name of a key")
        data = unbase64(signature)
        if len(data) < 5:
            raise NoteError("a signature is too short")
        return name, data[:4], data[4:]

    def verified(self, keys):
        """Number and seconds of each of `keys` that signed, in the note's order.

        Lines of other keys say nothing; one line of a known key that does not hold, and the whole
        note is worthless. Of keys with one name and id, a line is of the first under which it holds.
        """
        known = {}
        for index, key in enumerate(keys):
            known.setdefault((key.name, key.id), []).append(index)
        valid = [
            self.signed(signature, keys, known[name, key_id])
            for name, key_id, signature in self.lines
            if (name, key_id) in known
        ]
        if not valid:
            raise NoteError("no known key has signed")
        return valid

    def signed(self, signature, keys, indexes):
        """Which of the keys with these indexes signed, and its seconds."""
        for index in indexes:
            try:
                return index, keys[index].check(self.text, signature)
            except NoteError as error:
                fault = error
        raise fault


def checkpoint(text):
    """Origin, size and root that the text of a checkpoint states."""
    lines = text[:-1].split("\n")
    if not text.endswith("\n") or len(lines) != 3:
        raise NoteError("not a checkpoint: three lines")
    origin, size, root = lines
    if not 1 <= len(origin.encode()) <= limits.ORIGIN_BYTES_MAX:
        raise NoteError("not a checkpoint: origin empty or too long")
    plain = size.isascii() and size.isdigit() and len(size) <= 20 and str(int(size)) == size
    if not plain or int(size) > limits.U64_MAX:
        raise NoteError("not a checkpoint: size is no plain number")
    root = unbase64(root)
    if len(root) != 32:
        raise NoteError("not a checkpoint: root is not 32 bytes")
    if size == "0" and root != hashlib.sha256().digest():
        raise NoteError("not a checkpoint: an empty log has the root of nothing")
    return origin, int(size), root
