"""Finding rows that by their words are a total or a part of another row: `Summa Bromma`, `varav digitala`.

Certain ones are errors: every word beside the total's word is known to us (a unit, an area, a code, a word such as
mottagningar), or the word is one that no name begins or ends with. Where a name could be meant (`Total Hälsa`) it is a
query. Totals that no word betrays are sought by arithmetic: `checks.arithmetic.sums_of_others`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import yaml
from pydantic import BaseModel, ConfigDict

from ingest.contracts import EXPECTATIONS, Contract
from ingest.districts import load_districts
from ingest.folding import fold
from ingest.organisation import load_organisation
from ingest.organisation_tables import read_seed
from ingest.reading.byte_columns import is_without_letters, matching

BoolArray = npt.NDArray[np.bool_]
_PERIOD = re.compile(r"(19|20)\d\d(q[1-4])?|(q|kv)?[1-4]")
_MOST_WORDS = 6
"""Words of a name that a label may repeat."""
_LEAST_LETTERS = 5
"""Of a word for a mean or share that tells by itself: `Max` may begin a name."""
_LONGEST = 200
"""Characters of a label; a longer cell is none."""
_IDENTIFIER = re.compile(r"[A-Za-z0-9/_-]{1,40}")
_WORD = re.compile(r"[0-9a-z]+")
_MAYBE = (
    r"(?i)sum|tot|ack|s\s*:\s*a|rav|davon|all|samt|samm|hela|b.{1,2}da|b.{1,2}gge|yhte|i\s?alt|\xce\xa3|\xe2\x88\x91"
)
"""What may hold one of the words, in bytes of any encoding; `_verdict` decides."""
_MAYBE_FIGURES = (
    rf"{_MAYBE}|snitt|medel|medi|mean|avera|avg|diff|skill|ndring|ning|andel|procent|kvot|ratio|max|min|gst|avvik|index"
    r"|gnos|budget|m.{1,2}l|utfall|rega|fjol|riket|stad|kommun|l.{1,2}net|region|sverige|ntligt?"
)
"""The same, and what may hold a word for a mean or share, or for the city: sought in the column of a row's own name."""
_MAYBE_READ = re.compile(_MAYBE.replace(r"\xce\xa3|\xe2\x88\x91", "\u03a3|\u03c3|\u2211"))
_SUM_SIGN = re.compile(r"^\W*s\s*:\s*a\b|\bs\s*:\s*a\W*$|^\W*(i alt|\u03c3)\W*$|\u2211")


@dataclass(frozen=True)
class TotalsRows:
    """Rows of a table, bool each: `certain` are totals, `likely` may be."""

    certain: BoolArray
    likely: BoolArray


class _Words(BaseModel):
    """The declared words, expectations/totals.yml says of which kinds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sums: frozenset[str]
    totals: frozenset[str]
    figures: frozenset[str]
    wider: frozenset[str]
    parts: frozenset[str]
    every: frozenset[str]
    counted: frozenset[str]
    whole: frozenset[str]
    fillers: frozenset[str]


@lru_cache(maxsize=1)
def _declared() -> _Words:
    return _Words.model_validate(yaml.safe_load((EXPECTATIONS / "totals.yml").read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def _of_the_whole() -> frozenset[str]:
    """Words of the organisation's name and code: all units together."""
    whole = load_organisation()
    return frozenset(_words(f"{whole.name} {whole.code}"))


@lru_cache(maxsize=1)
def _maybe_figures() -> str:
    """`_MAYBE_FIGURES`, and the longer words of the organisation's name: no letter beyond ASCII has the same bytes."""
    whole = load_organisation()
    words = re.findall(r"\w{4,}", f"{whole.name} {whole.code}".lower())
    return "|".join([_MAYBE_FIGURES, *(re.sub(r"[^a-z0-9]", ".{1,2}", word) for word in sorted(set(words)))])


@lru_cache(maxsize=1)
def _places() -> frozenset[str]:
    """Folded names and codes of all units and areas, word by word."""
    registry = load_districts()
    names = [text for unit in registry.districts for text in (unit.code, unit.name)]
    names += [text for areas in registry.area_lists.values() for area in areas for text in (area.code, area.name)]
    return frozenset(word for name in names for word in _words(name))


@lru_cache(maxsize=128)
def _spellings(contract: Contract, name: str) -> frozenset[str]:
    """Folded spellings that a code column knows, of any unit."""
    column = contract.column(name)
    if column.type not in ("code", "code_list"):
        return frozenset()
    codes = contract.code_list(name, "")
    local = [fold(row["alias"]) for row in read_seed("intervention_aliases")]
    added = local if column.codes_from == "interventions" else []
    return frozenset([*codes.lookup, *codes.ambiguous, *added])


@lru_cache(maxsize=128)
def _values(contract: Contract) -> frozenset[str]:
    """Words of the codes and labels of a dataset's row key: what a subtotal is of."""
    keys = [name for name in contract.row_key if name != "person" and contract.column(name).type == "code"]
    return frozenset(word for name in keys for spelling in _spellings(contract, name) for word in _words(spelling))


@lru_cache(maxsize=128)
def _known(contract: Contract) -> frozenset[str]:
    """Words that a total's label may hold beside the total's word."""
    return _declared().whole | _of_the_whole() | _places() | _values(contract)


def _words(text: str) -> list[str]:
    return _WORD.findall(fold(text))


def _verdict(
    text: str, contract: Contract, *, is_key: bool, is_number: bool, beside: frozenset[tuple[str, ...]]
) -> int:
    """2 for a certain total, 1 for a likely one, else 0.

    Args:
        text: the cell.
        contract: whose.
        is_key: whether it is in a column that says what the row is about.
        is_number: whether the column holds identifiers, in which `SUM-12` may be a real one.
        beside: words with which the column's other cells begin, `_bare`.
    """
    if _SUM_SIGN.search(text.lower()):
        return 2
    words, declared = _words(text), _declared()
    if not words:
        return 0
    if words[0] in declared.parts:
        return 2 if is_key else 1
    sums = {word for word in words if word in declared.sums or word in declared.totals}
    is_every = bool({words[0], words[-1]} & declared.every) and contract.dataset in declared.counted
    if not sums and not is_every:
        return _of_others(words, contract) if is_key and not is_number else 0
    passed_over = declared.fillers | declared.every
    rest = [word for word in words if word not in sums and word not in passed_over]
    known = _known(contract)
    is_number = is_number and _IDENTIFIER.fullmatch(text.strip()) is not None
    is_known = all(word in known or (not is_number and _PERIOD.fullmatch(word)) for word in rest)
    is_known |= not is_number and _bare(rest) in beside  # `Alvik`, of `Alviks ungdomsmottagning`
    if not sums:
        if not is_key:
            return 1 if rest and is_known else 0
        if is_number or words[0] == "samtliga" or is_known:
            return 2 if words[0] == "samtliga" or is_known else 0
        return _of_others(words, contract)
    if is_known:
        return 1 if not is_key and any(map(str.isdigit, rest)) else 2
    outer = {words[0], words[-1]}
    if outer & declared.sums and is_key and not is_number:
        return 2
    return 1 if outer & sums and not is_number else 0


def _of_others(words: Sequence[str], contract: Contract) -> int:
    """1 for a label that begins with a word for a mean, share or difference, or is nothing but known words and one of
    these or of those for the city; else 0."""
    declared, wider = _declared(), _declared().wider | _of_the_whole()
    if contract.dataset not in declared.counted or not set(words) & (declared.figures | wider):
        return 0
    if words[0] in declared.figures and len(words[0]) >= _LEAST_LETTERS:
        return 1
    if not set(words) & declared.figures:  # `Stockholms stad`, but `Stockholms ungdomsmottagning` is a clinic
        return int(set(words) <= wider | declared.fillers | declared.every)
    known = _known(contract) | declared.figures | declared.fillers | declared.every
    return int(all(word in known or _PERIOD.fullmatch(word) for word in words))


def _bare(words: Sequence[str]) -> tuple[str, ...]:
    """Words as they compare with others: `Alvik` and `Alviks` are one."""
    return tuple(word.removesuffix("s") for word in words)


def _role(key: str, contract: Contract) -> tuple[bool, bool] | None:
    """Whether a column says what the row is about, and whether it holds identifiers; None when it is not looked at."""
    if key.startswith("?"):
        return False, False
    column = contract.column(key)
    if column.type == "text" and key not in contract.row_key:
        return None  # free text about the row: its words are nobody's label
    return key in contract.row_key, column.type in ("identifier", "person_number")


def _holds_codes(key: str, contract: Contract) -> bool:
    return not key.startswith("?") and contract.column(key).type in ("code", "code_list")


def _cell_verdict(text: str, key: str, contract: Contract, beside: frozenset[tuple[str, ...]]) -> int:
    role = _role(key, contract)
    if role is None or len(text) > _LONGEST:
        return 0
    if not key.startswith("?") and fold(text) in _spellings(contract, key):
        return 0
    found = _verdict(text, contract, is_key=role[0], is_number=role[1], beside=beside)
    return found if found == 2 or key.startswith("?") or contract.column(key).type == "text" else 0


def is_totals_record(cells: Iterable[str], keys: Sequence[str], contract: Contract) -> bool:
    """Whether a record that is too short for the table is a total for certain.

    Args:
        cells: as they are read, from the left.
        keys: contract column of each, or `?n` for the n-th column when it is none.
        contract: the dataset's.
    """
    given = list(cells)
    if not _MAYBE_READ.search("\n".join(given)):
        return False
    return any(
        _cell_verdict(cell, key, contract, frozenset()) == 2 for cell, key in zip(given, keys, strict=False) if cell
    )


def totals_rows(table: pa.Table, contract: Contract, encoding: str) -> TotalsRows:
    """The rows of a table that are totals, or may be, by their words.

    Args:
        table: cells as bytes; columns are named after the contract's, or `?n` for the n-th when it is none.
        contract: the dataset's.
        encoding: of the bytes.
    """
    certain, likely = np.zeros(table.num_rows, dtype=bool), np.zeros(table.num_rows, dtype=bool)
    for key, column in zip(table.column_names, table.columns, strict=True):
        if _role(key, contract) is None:
            continue
        cells = distinct_cells(column)
        if is_without_letters(cells):
            continue
        is_name = key in contract.row_key and contract.column(key).type == "text"
        maybe = cells.filter(pa.array(matching(cells, _maybe_figures() if is_name else _MAYBE)))
        if not len(maybe):
            continue
        texts = {cell: cell.decode(encoding) for cell in pc.unique(maybe).to_pylist()}
        beside = _others(cells, set(texts), key, contract, encoding)
        found = {cell: _cell_verdict(text, key, contract, beside) for cell, text in texts.items()}
        for wanted, rows in ((2, certain), (1, likely)):
            hits = [cell for cell, verdict in found.items() if verdict == wanted]
            if not hits:
                continue
            labelled = pc.is_in(column.cast(pa.binary()), value_set=pa.array(hits, pa.binary())).to_numpy()
            # Where most rows say `Alla` for a code, the code is wrong: its own message lists those that may stand.
            if not _holds_codes(key, contract) or 2 * labelled.sum() <= len(labelled):
                rows |= labelled
    return TotalsRows(certain, likely & ~certain)


def _others(
    cells: pa.Array, maybe: set[bytes], key: str, contract: Contract, encoding: str
) -> frozenset[tuple[str, ...]]:
    """With which words a text column's other cells begin: in codes and identifiers they say nothing of a total."""
    if key.startswith("?") or contract.column(key).type != "text":
        return frozenset()
    others = (
        _bare(_words(cell.decode(encoding)[:_LONGEST])) for cell in cells.to_pylist() if cell and cell not in maybe
    )
    return frozenset(words[:count] for words in others for count in range(1, min(len(words), _MOST_WORDS) + 1))


def distinct_cells(column: pa.ChunkedArray) -> pa.Array:
    """The cells that occur in a column, as bytes: each once where the column is dictionary-encoded, else all."""
    if not pa.types.is_dictionary(column.type):
        return column.combine_chunks()
    found: set[bytes] = set()
    for chunk in column.chunks:
        found.update(chunk.dictionary.to_pylist())
    return pa.array(list(found), pa.binary())
