"""The process that reads one workbook: bytes in, one sheet as text out, nothing else.

`ingest.workbooks.sandbox` starts it. It bounds its own memory and time, can write no file, and gets no secrets in its
environment. When it dies on hostile bytes, one file is refused.
"""

from __future__ import annotations

import json
import resource
import struct
import sys
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # run by its path: the tree that started it, not an installed one, is what it imports
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from ingest.file_permissions import go_private
from ingest.workbooks.readers import SheetReply, SheetRequest, read_workbook
from ingest.workbooks.refusals import DAMAGED, TOO_LARGE, Refused

MEMORY_BYTES = 4 << 30
SECONDS = 120


def _limit() -> None:
    """Bound what this process may use, and let it leave nothing behind."""
    go_private()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def reply_to(raw: bytes, request: dict[str, Any]) -> SheetReply:
    """The reply on a workbook; facts of a refusal are its rule under `refused` and what its message needs."""
    wants = SheetRequest(
        request["known"],
        frozenset(request["dates"]),
        frozenset(request["sheet_names"]),
        request["most_columns"],
        request["required"],
        request.get("is_any", False),
    )
    try:
        return read_workbook(raw, wants)
    except Refused as refusal:
        return SheetReply({"refused": refusal.rule, "facts": refusal.facts}, b"", b"")
    except MemoryError:
        return SheetReply({"refused": TOO_LARGE, "facts": {"kind": "mer än vad som ryms i minnet"}}, b"", b"")
    except BaseException as error:
        if type(error).__module__ != "pyo3_runtime":  # calamine's own panic; it derives from BaseException
            raise
        return SheetReply({"refused": DAMAGED, "facts": {}}, b"", b"")


def main() -> None:
    """Read the question and the workbook from standard input, answer on standard output."""
    _limit()
    length = struct.unpack("<I", sys.stdin.buffer.read(4))[0]
    request = json.loads(sys.stdin.buffer.read(length))
    reply = reply_to(sys.stdin.buffer.read(), request)
    facts = json.dumps(reply.facts).encode()
    out = sys.stdout.buffer
    out.write(struct.pack("<III", len(facts), len(reply.numbers), len(reply.body)))
    for part in (facts, reply.numbers, reply.body):
        out.write(part)
    out.flush()


if __name__ == "__main__":
    main()
