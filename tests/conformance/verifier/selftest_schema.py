"""Whether the tables of fields are those of the schema, wherever it stands beside this program."""

import re
from pathlib import Path

from .messages import CAUSES
from .schema import ENUMS, FIELDS, MESSAGES

SCHEMA = Path(__file__).resolve().parents[3] / "proto" / "comity" / "v1"
BLOCK = re.compile(r"^(message|enum) (\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^ +(repeated )?(\w+) (\w+) = (\d+);", re.MULTILINE)
VALUE = re.compile(r"^ +(\w+) = (\d+);", re.MULTILINE)
NUMBERS = {"uint32": "u32", "uint64": "u64"}


def declared(folder):
    """Fields of every message and values of every enum, by name."""
    messages, enums = {}, {}
    for file in sorted(folder.glob("*.proto")):
        for kind, name, body in BLOCK.findall(file.read_text(encoding="utf-8")):
            if kind == "message":
                messages[name] = FIELD.findall(body)
            else:
                enums[name] = VALUE.findall(body)
    return messages, enums


def run():
    """What is checked, and whether it is so."""
    messages, enums = declared(SCHEMA)
    yield "the schema is there", len(messages) > 20
    for name in MESSAGES:
        fields = set()
        for repeated, kind, field, number in messages.get(name, ()):
            kind = "enum" if kind in enums else NUMBERS.get(kind, kind)
            fields.add((int(number), field, kind, bool(repeated)))
        known = {(it.number, it.name, it.kind, it.repeated) for it in FIELDS[name].values()}
        yield f"fields of {name}: {sorted(fields ^ known)}", fields == known
    for name, highest in ENUMS.items():
        numbers = sorted(int(number) for _, number in enums.get(name, ()))
        yield f"values of {name}", numbers == list(range(highest + 1))
    causes = [name for name, number in enums["Cause"] if number != "0"]
    yield "causes", [f"CAUSE_{name.upper()}" for name in CAUSES] == causes
