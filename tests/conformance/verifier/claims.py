"""What home alone says of a request, and how the records of each signer follow each other."""

from . import limits
from .fault import Fault
from .signed import sha256

NOTHING = bytes(32)


def check_claims(receipt, manifest):
    """Template, times and migrations, as home claims them."""
    if receipt.template and receipt.template != manifest.chat_template:
        raise Fault("E_TEMPLATE", "receipt.template", "not the model's chat template")
    closed, until = receipt.closed_at_ms, receipt.retained_until_ms
    if not closed <= until <= limits.later(closed, limits.RETENTION_MAX):
        raise Fault("E_RETENTION", "receipt.retained_until", "kept for no time that can be")
    first, longest = receipt.first_token_ms, max(1, closed - receipt.opened_at_ms)
    if (first > 0) != (receipt.output_tokens > 0) or first > longest:
        raise Fault("E_FIRST_TOKEN", "receipt.first_token_ms", "does not fit tokens or times")
    if receipt.migrations:
        raise Fault("E_MIGRATION", "receipt.migrations", "migrations cannot be verified")


class Record:
    """One record that the bundle holds; its digest covers the envelope too."""

    def __init__(self, path, said, signed):
        self.path, self.digest = path, sha256(signed.raw)
        self.sequence, self.previous = said.sequence, said.previous

    def begins(self):
        """A signer's first record has none before it, and no other lacks one."""
        if (self.sequence == 1) != (self.previous == NOTHING):
            raise Fault("E_SEQUENCE", f"{self.path}.previous", "only the first has none before it")

    def follows(self, before):
        if self.sequence <= before.sequence:
            raise Fault("E_SEQUENCE", f"{self.path}.sequence", "not after the record before")
        if (self.sequence == before.sequence + 1) != (self.previous == before.digest):
            raise Fault("E_SEQUENCE", f"{self.path}.previous", "not the record before")


def check_records(bundle, record, stages, receipt):
    """Home's records are numbered and linked in their order, and each link that can be followed
    leads where it says; of another signer there is one.
    """
    records = [Record("open_record", record, bundle.open_record)]
    for stage in stages:
        if stage.receipt is None:
            continue
        signed = bundle.stage_receipts[stage.index]
        other = Record(stage.path, stage.receipt, signed)
        if signed.signer == bundle.receipt.signer:
            records.append(other)
        else:
            other.begins()
    records.append(Record("receipt", receipt, bundle.receipt))
    for entry in records:
        entry.begins()
    for index, after in enumerate(records):
        for before in reversed(records[:index]):
            after.follows(before)
