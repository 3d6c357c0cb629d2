"""Notes as others have published them, and texts that are none.

Sources: the tests of Go's package sumdb/note, and a checkpoint of a public log with the cosignature
of a public witness.
"""

from .note import COSIGNATURE, NOTE, Key, Note, NoteError, checkpoint, unbase64

TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PETER_KEY = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2p"
    "ZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5o"
    "vTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
LOG = "arche2025h1.staging.ct.transparency.dev"
LOG_KEY = "AU0vHmlGCS/PdN8b2OaGmKprLI8HKM+dJ472xgFYh15f"
WITNESS = "remora.n621.de"
WITNESS_KEY = "BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
ROOT = "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro="
LOGGED = (
    f"{LOG}\n1432088532\n{ROOT}\n\n"
    f"— {LOG} ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI7"
    "5MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    f"— {WITNESS} 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sX"
    "Tynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)

NO_NOTES = (
    "",
    TEXT,
    f"{TEXT}\n",
    f"{TEXT}\n{PETER.rstrip()}",
    f"{TEXT}\n\n\n",
    f"\x01{TEXT}\n{PETER}",
    f"{TEXT}\0\n\n{PETER}",
    f"{TEXT}\n{PETER}\r\n",
    f"{TEXT}\n{PETER}Unexpected line.\n",
    f"{TEXT}\n" + PETER.replace("Neumann", " Neumann"),
    f"{TEXT}\n" + PETER.replace("Neumann", "\u2003Neumann"),
    f"{TEXT}\n" + PETER.replace("Neumann", "+Neumann"),
    f"{TEXT}\n" + PETER.replace("PeterNeumann", ""),
    f"{TEXT}\n" + PETER.replace("—", "-"),
    f"{TEXT}\n" + PETER.replace("AM=", "AN="),
    f"{TEXT}\n" + PETER.replace("AM=", "AM"),
    f"{TEXT}\n" + PETER.replace("x08g", "x0 g"),
    f"{TEXT}\n— PeterNeumann x08gow==\n",
    f"\n{PETER}",
    f"{TEXT}\n" + ENOCH * 258,
    f"{TEXT * 700}\n{PETER}",
)

NO_CHECKPOINTS = (
    "",
    "log\n1\n",
    f"log\n1\n{ROOT}",
    f"log\n1\n{ROOT}\nmore\n",
    f"\n1\n{ROOT}\n",
    f"{'x' * 141}\n1\n{ROOT}\n",
    f"log\n01\n{ROOT}\n",
    f"log\n+1\n{ROOT}\n",
    f"log\n-1\n{ROOT}\n",
    f"log\n\n{ROOT}\n",
    f"log\n\u0661\n{ROOT}\n",
    f"log\n{2**64}\n{ROOT}\n",
    f"log\n{'9' * 5_000}\n{ROOT}\n",
    f"log\n0\n{ROOT}\n",
    "log\n1\nU7WM\n",
)


def refused(read, text):
    try:
        read(text)
    except NoteError:
        return True
    return False


def key(name, published, scheme):
    """A key as it is published: its scheme's byte, and 32 more."""
    return Key(name, unbase64(published)[1:], scheme)


def run():
    """What is checked, and whether it is so."""
    peter = key("PeterNeumann", PETER_KEY, NOTE)
    yield "the id of a key", peter.id.hex() == "c74f20a3"
    note = Note(f"{TEXT}\n{ENOCH}{PETER}")
    yield "a published note", note.verified([peter]) == [(0, None)]
    yield "a note of nobody known", refused(note.verified, [])
    yield "a key given twice is one", note.verified([peter, peter]) == [(0, None)]
    false = Note(f"{TEXT}\n{PETER}" + PETER.replace("go/ZJ", "go/ZK"))
    yield "a false line beside a good one", refused(false.verified, [peter])
    for number, text in enumerate(NO_NOTES):
        yield f"no note {number}", refused(Note, text)
    log, witness = key(LOG, LOG_KEY, NOTE), key(WITNESS, WITNESS_KEY, COSIGNATURE)
    logged = Note(LOGGED)
    valid = logged.verified([log, witness])
    yield "a published cosignature", valid == [(0, None), (1, 0x6A122120)]
    yield "a published checkpoint", checkpoint(logged.text)[:2] == (LOG, 1_432_088_532)
    grown = Note(LOGGED.replace("1432088532", "1432088533"))
    yield "a cosignature of another size", refused(grown.verified, [witness])
    for number, text in enumerate(NO_CHECKPOINTS):
        yield f"no checkpoint {number}", refused(checkpoint, text)
    yield "the largest size", checkpoint(f"log\n{2**64 - 1}\n{ROOT}\n")[1] == 2**64 - 1
