"""Whether the rules of a suite name only columns and codes that their contract has.

A rule that names a code which is gone would raise on every file, and its district would be refused for our mistake.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ingest.contracts import Contract

_CODES_OF = (
    ("when_values", "when_column"),
    ("when_value", "when_column"),
    ("unless_values", "unless_column"),
    ("values", "column"),
    ("other_values", "other_column"),
    ("codes", "code_column"),
)
"""Arguments that list codes, and the argument that names their column. `ignored_values` may be in one of several."""
BY_UNIT = "areas"
"""Codes that each unit has its own of: no rule names them."""


def unknown_names(
    contract: Contract, entries: Sequence[Mapping[str, Any]], columns_of: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """What the rules of a version name and its contract lacks, each in one sentence.

    Args:
        contract: in one version.
        entries: its suite's expectations, as declared.
        columns_of: of each rule by code the columns of the contract that it looks at.
    """
    names = {column.name for column in contract.columns}
    version = f"{contract.dataset} from {contract.since}" if contract.since else f"{contract.dataset}, first version"
    for entry in entries:
        rule = entry["meta"]["code"]
        for column in columns_of[rule]:
            if column not in names:
                yield f"{rule} names the column {column}, which the contract of {version} does not have"
        for codes_in, column_in in _CODES_OF:
            column = entry["kwargs"].get(column_in)
            given = entry["kwargs"].get(codes_in)
            listed = [given] if isinstance(given, str) else given or []
            if column not in names or contract.column(column).codes_from == BY_UNIT:
                continue
            known = contract.code_list(column, "").codes
            for code in listed:
                if code not in known:
                    yield (
                        f"{rule} names the code {code} of {column}, which the contract of {version} does not have: "
                        "change the rule with it, or give both the same last quarter (valid_to)"
                    )
