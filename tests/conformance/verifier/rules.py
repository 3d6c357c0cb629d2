"""Small rules that several checks share."""

import hashlib
import hmac

from .fault import Fault
from .messages import PUBLIC, SENSITIVE


def commitment(salt, label, value):
    return hmac.new(salt, label.encode() + b"\0" + value, hashlib.sha256).digest()


def not_before(time, earliest, field):
    if time < earliest:
        raise Fault("E_TIME", field, f"{time} ms comes before {earliest} ms")


def permits(policy, place, home):
    """Whether anything of a request that `home`, an institution, took may reach a node."""
    for country in (place.jurisdiction, place.parent):
        if country in policy.forbidden_jurisdictions:
            return False
        if policy.allowed_jurisdictions and country not in policy.allowed_jurisdictions:
            return False
    if policy.allowed_institutions and place.institution not in policy.allowed_institutions:
        return False
    if place.institution == home:
        return True
    if policy.data_class > PUBLIC and place.data_class_max < policy.data_class:
        return False
    if policy.data_class == SENSITIVE and not policy.allowed_institutions:
        return False
    return not (policy.purpose and place.purposes) or policy.purpose in place.purposes


def permits_blocks(policy, place, home, blocks, block_count):
    """Whether a node may run these blocks of a model that has `block_count`."""
    if not permits(policy, place, home):
        return False
    last = max(0, block_count - policy.pinned_last)
    return place.institution == home or policy.pinned_first <= blocks.start < blocks.end <= last


def named(policy):
    """The institutions that a policy names; None for any, nothing for home's alone."""
    if policy.allowed_institutions:
        return set(policy.allowed_institutions)
    return set() if policy.data_class == SENSITIVE else None


def is_within(policy, base):
    """Whether a policy is another one or stricter in every rule."""
    institutions, wide = named(policy), named(base)
    if wide is not None:
        if institutions is None or not institutions <= wide or bool(institutions) != bool(wide):
            return False
    if base.allowed_jurisdictions:
        allowed = set(policy.allowed_jurisdictions)
        if not allowed or not allowed <= set(base.allowed_jurisdictions):
            return False
    lower = ("pinned_first", "pinned_last", "data_class")
    upper = ("recovery", "audit")
    stated = ("purpose", "transfer_basis")
    return (
        policy.name == base.name
        and set(policy.forbidden_jurisdictions) >= set(base.forbidden_jurisdictions)
        and all(getattr(policy, name) >= getattr(base, name) for name in lower)
        and all(getattr(policy, name) <= getattr(base, name) for name in upper)
        and all(getattr(base, name) in ("", getattr(policy, name)) for name in stated)
    )
