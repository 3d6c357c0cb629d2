"""Canonical protobuf: of all encodings of a message, the one that is accepted. Not its meaning.

Fields stand in ascending order, each at most once unless repeated; what has its default value is
left out; numbers take as few bytes as they can; nothing else stands between or behind.
"""

from .limits import U32_MAX, U64_MAX
from .schema import FIELDS

VARINT, DELIMITED = 0, 2


class FormatError(Exception):
    """Not the canonical encoding of a valid message; `field` is named where one is at fault."""

    def __init__(self, problem, field=None):
        super().__init__(f"{field}: {problem}" if field else problem)
        self.field = field


class Message:
    """A decoded message: its fields as attributes, its type, and its bytes."""

    def __init__(self, kind, raw):
        self.kind, self.raw = kind, raw
        for field in FIELDS[kind].values():
            default = {"string": "", "bytes": b""}.get(field.kind, None if field.is_message else 0)
            setattr(self, field.name, [] if field.repeated else default)


def varint(data, at):
    """The number at `at`, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise FormatError("malformed protobuf")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
    if value > U64_MAX or (byte == 0 and shift > 0):
        raise FormatError("not the canonical encoding")
    return value, at


def number(kind, value):
    """A number of the field's type: enums are 32 bits with a sign, which fills 64."""
    if kind == "enum":
        if value > U64_MAX - 2**31:
            return value - 2**64
        if value >= 2**31:
            raise FormatError("not the canonical encoding")
    elif kind == "u32" and value > U32_MAX:
        raise FormatError("not the canonical encoding")
    return value


def packed(kind, data):
    values, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(number(kind, value))
    return values


def chunk(field, data):
    """The value of a field that stands as bytes with their length."""
    if field.packed:
        return packed(field.kind, data)
    if field.is_message:
        return decode(field.kind, data)
    if field.kind == "string":
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            raise FormatError("malformed protobuf") from None
    return data


def decode(kind, data):
    """Reads the structure of a message; what its fields may hold is not checked."""
    message, fields = Message(kind, data), FIELDS[kind]
    at = last = 0
    while at < len(data):
        key, at = varint(data, at)
        field = fields.get(key >> 3)
        if field is None or key >> 3 < last:
            raise FormatError("not the canonical encoding")
        if key >> 3 == last and (field.packed or not field.repeated):
            raise FormatError("not the canonical encoding")
        last = key >> 3
        scalar = field.is_number and not field.packed
        if key & 7 != (VARINT if scalar else DELIMITED):
            raise FormatError("malformed protobuf")
        value, at = varint(data, at)
        if scalar:
            value = number(field.kind, value)
        else:
            if value > len(data) - at:
                raise FormatError("malformed protobuf")
            at, value = at + value, chunk(field, data[at : at + value])
        if field.repeated and not field.packed:
            getattr(message, field.name).append(value)
        elif not field.is_message and not value:
            raise FormatError("not the canonical encoding")
        else:
            setattr(message, field.name, value)
    return message
