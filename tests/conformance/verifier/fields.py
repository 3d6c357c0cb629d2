"""What one field may hold, whatever message it is in."""

from . import limits
from .schema import ENUMS
from .wire import FormatError

SMALL = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-")


def fail(field, problem):
    raise FormatError(problem, field)


def ident(value, size, field):
    if len(value) != size:
        fail(field, "wrong length")


def digests(values, field):
    for value in values:
        ident(value, 32, field)


def text(value, most, field):
    if not 1 <= len(value.encode()) <= most:
        fail(field, "empty or too long")


def short(value, most, field):
    if len(value.encode()) > most:
        fail(field, "too long")


def texts(values, most, bytes_max, field):
    few(values, most, field)
    for value in values:
        text(value, bytes_max, field)


def within(value, least, most, field):
    if not least <= value <= most:
        fail(field, "out of range")


def known(value, enum, field):
    """A number that the enum gives a meaning; 0 means that nothing is said."""
    if not 1 <= value <= ENUMS[enum]:
        fail(field, "unknown")


def few(values, most, field):
    if len(values) > most:
        fail(field, "too many entries")


def ascending(values, field):
    if any(left >= right for left, right in zip(values, values[1:])):
        fail(field, "not in strictly ascending order")


def required(value, field):
    if value is None:
        fail(field, "missing")


def country(value, field):
    if len(value) != 2 or not all("A" <= char <= "Z" for char in value):
        fail(field, "no ISO 3166-1 alpha-2 code")


def institution_id(value, field):
    text(value, limits.NAME_BYTES_MAX, field)
    if not SMALL.issuperset(value):
        fail(field, "only lower-case letters, digits and '-'")


def sequence(value, field):
    if value == 0:
        fail(field, "counted from 1")


def cause(value, field):
    known(value, "Cause", field)


def data_class(value, field):
    if value != 0:
        known(value, "DataClass", field)
