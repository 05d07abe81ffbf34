"""No spelling that a contract accepts means two things, and every shared list is used."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import yaml

from ingest import contracts
from ingest.contracts import EXPECTATIONS, Code, Column, load_contracts
from ingest.districts import load_districts
from ingest.folding import fold

CODED = [
    (contract.dataset, column)
    for contract in load_contracts().values()
    for column in contract.columns
    if column.codes or column.codes_from
]


def spellings(column: Column, district: str) -> Iterator[tuple[str, str]]:
    """(folded spelling, code) of everything that a column of a district is read by."""
    for code, label, aliases in contracts._declared_codes(column, district, ()):
        yield from ((fold(spelling), code) for spelling in (code, label, *aliases))
    yield from ((fold(alias), code) for alias, code in column.code_aliases.items())


def doubles(column: Column, district: str) -> dict[str, set[str]]:
    """Spellings that mean more than one code."""
    meanings: dict[str, set[str]] = {}
    for spelling, code in spellings(column, district):
        meanings.setdefault(spelling, set()).add(code)
    return {spelling: codes for spelling, codes in meanings.items() if len(codes) > 1}


@pytest.mark.parametrize(("dataset", "column"), CODED, ids=[f"{dataset}.{column.name}" for dataset, column in CODED])
def test_every_spelling_means_one_code(dataset: str, column: Column) -> None:
    for district in load_districts().districts:
        assert doubles(column, district.code) == {}


def test_a_spelling_of_two_codes_is_found() -> None:
    codes = {"egen": Code(label_sv="Egen", aliases=("annan",)), "annan": Code(label_sv="Annan")}
    column = Column(name="regi", label_sv="Regi", type="code", codes=codes)
    assert doubles(column, "bromma") == {"annan": {"egen", "annan"}}


@pytest.mark.parametrize(("dataset", "column"), [(d, c) for d, c in CODED if c.ambiguous])
def test_ambiguous_word_names_known_codes_and_is_no_codes_spelling(dataset: str, column: Column) -> None:
    read = dict(spellings(column, "bromma"))
    for word, meanings in column.ambiguous.items():
        assert len(meanings) > 1 and set(meanings) <= set(read.values())
        assert fold(word) not in read


def test_every_shared_list_is_used_by_several_columns() -> None:
    shared = yaml.safe_load((EXPECTATIONS / "code_lists.yml").read_text(encoding="utf-8"))
    used = [column.codes_from for _, column in CODED]
    assert [name for name in shared if used.count(name) < 2] == []
