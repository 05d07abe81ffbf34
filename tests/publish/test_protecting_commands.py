"""`followup protect` and `followup audit` as people run them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from followup.cli.main import app

# Both examples are those of the tests of the R package sdcTable.
FOUR_BY_TWO = "row;column;count\nA;a;18\nA;b;2\nB;a;14\nB;b;19\nC;a;12\nC;b;10\nD;a;11\nD;b;14\n"
FOUR_BY_FOUR = {"w": (30, 47, 64, 89), "x": (90, 124, 5, 31), "y": (92, 100, 59, 85), "z": (800, 991, 651, 685)}
NINE = ("wa", "wb", "wc", "xa", "xc", "yb", "yd", "zb", "zd")
DIMENSIONS = ("--dim", "row", "--dim", "column")


def run(folder: Path, command: str, text: str, *options: str) -> Result:
    file = folder / "cells.csv"
    file.write_text(text, encoding="utf-8")
    return CliRunner().invoke(app, [command, str(file), *options])


def answer(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def four_by_four(*suppressed: str, with_counts: bool = True, with_margins: bool = True) -> str:
    lines = ["row,column,count,suppressed"]
    for row, counts in FOUR_BY_FOUR.items():
        for column, count in zip("abcd", counts, strict=True):
            hidden = row + column in suppressed
            shown = "" if hidden and not with_counts else count
            lines.append(f"{row},{column},{shown},{'ja' if hidden else 'nej'}")
        if with_margins:
            lines.append(f"{row},alla,{sum(counts)},nej")
    if with_margins:
        sums = [sum(column) for column in zip(*FOUR_BY_FOUR.values(), strict=True)]
        lines += [f"alla,{column},{count},nej" for column, count in zip("abcd", sums, strict=True)]
        lines.append(f"alla,alla,{sum(sums)},nej")
    return "\n".join(lines) + "\n"


def test_protect_prints_the_cheapest_pattern(tmp_path: Path) -> None:
    result = run(tmp_path, "protect", FOUR_BY_TWO, *DIMENSIONS, "--format", "json")
    assert result.exit_code == 0
    found = answer(result)
    hidden = {(c["row"], c["column"]): (c["count"], c["status"]) for c in found["cells"] if c["status"] != "shown"}
    assert hidden == {
        ("A", "a"): (18, "secondary"), ("A", "b"): (2, "few"),
        ("C", "a"): (12, "secondary"), ("C", "b"): (10, "secondary"),
    }  # fmt: skip
    assert (found["method"], found["threshold"], found["protected_counts"]) == ("optimum", 5, "1-4")
    few = next(cell for cell in found["cells"] if cell["status"] == "few")
    assert (few["low"], few["high"]) == (0, 12)
    assert len(found["cells"]) == 15


def test_protect_writes_what_audit_passes(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = run(tmp_path, "protect", FOUR_BY_TWO, *DIMENSIONS, "--out", str(out), "--attacker", "strong")
    assert result.exit_code == 0
    assert "1 hidden because they count 1-4, 3 others hidden (no pattern hides less)" in result.stdout
    assert "A;b;;true" in out.read_text(encoding="utf-8").splitlines()
    audited = CliRunner().invoke(app, ["audit", str(out), *DIMENSIONS, "--attacker", "strong"])
    assert audited.exit_code == 0
    assert "Nothing can be bounded too tightly (strong attacker)." in audited.stdout


@pytest.mark.parametrize("with_counts", [True, False])
@pytest.mark.parametrize("attacker", ["plain", "strong"])
def test_audit_names_the_cell_that_is_known_exactly(tmp_path: Path, attacker: str, with_counts: bool) -> None:
    text = four_by_four(*NINE, with_counts=with_counts)
    result = run(tmp_path, "audit", text, *DIMENSIONS, "--format", "json", "--attacker", attacker)
    assert result.exit_code == 1
    found = answer(result)
    assert not found["passed"]
    assert [(c["row"], c["column"], c["low"], c["high"]) for c in found["failures"]] == [("w", "b", 47, 47)]
    assert found["failures"][0]["count"] == (47 if with_counts else None)
    assert "known exactly: 47" in run(tmp_path, "audit", text, *DIMENSIONS).stdout


def test_audit_computes_margins_that_are_not_in_the_file(tmp_path: Path) -> None:
    text = four_by_four(*NINE, with_margins=False)
    found = answer(run(tmp_path, "audit", text, *DIMENSIONS, "--format", "json"))
    assert [(c["row"], c["column"], c["low"], c["high"]) for c in found["failures"]] == [("w", "b", 47, 47)]


def test_audit_bounds_the_cell_once_another_is_suppressed(tmp_path: Path) -> None:
    result = run(tmp_path, "audit", four_by_four(*NINE, "xd"), *DIMENSIONS, "--format", "json")
    assert result.exit_code == 0
    cell = next(c for c in answer(result)["cells"] if (c["row"], c["column"]) == ("w", "b"))
    assert (cell["status"], cell["low"], cell["high"]) == ("secondary", 0, 78)


def test_audit_fails_a_small_count_that_is_shown(tmp_path: Path) -> None:
    text = "row,count,suppressed\nA,3,false\nB,20,false\n"
    result = run(tmp_path, "audit", text, "--dim", "row")
    assert result.exit_code == 1
    assert "row A: 3 (shown), known exactly: 3" in result.stdout
    assert run(tmp_path, "audit", text, "--dim", "row", "--threshold", "3").exit_code == 0


def test_protect_and_audit_take_several_trees(tmp_path: Path) -> None:
    # x + y is P and y + z is Q: with both shown, and the total, every part follows from the others.
    (tmp_path / "p.csv").write_text("child,parent\nx,P\ny,P\nz,all\nP,all\n", encoding="utf-8")
    (tmp_path / "q.csv").write_text("child;parent\ny;Q\nz;Q\nx;all\nQ;all\n", encoding="utf-8")
    trees = f"row={tmp_path / 'p.csv'},{tmp_path / 'q.csv'}"
    out = tmp_path / "out.csv"
    text = "row,count\nx,2\ny,30\nz,40\n"
    result = run(tmp_path, "protect", text, "--dim", trees, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert CliRunner().invoke(app, ["audit", str(out), "--dim", trees]).exit_code == 0
    shown_sums = "row,count,suppressed\nx,,1\ny,,1\nz,,1\nP,32,0\nQ,70,0\nall,72,0\n"
    failed = run(tmp_path, "audit", shown_sums, "--dim", trees, "--format", "json")
    assert failed.exit_code == 1
    assert [cell["low"] for cell in answer(failed)["failures"]] == [2, 30, 40]
    one = run(tmp_path, "audit", shown_sums.replace("Q,70,0\n", ""), "--dim", f"row={tmp_path / 'p.csv'}")
    assert "z: (secondary), known exactly: 40" in one.stdout


def test_protect_hides_the_total_too_where_there_is_nothing_else(tmp_path: Path) -> None:
    result = run(tmp_path, "protect", "row,count\nA,2\n", "--dim", "row", "--format", "json")
    assert result.exit_code == 0
    assert [(c["row"], c["status"], c["low"], c["high"]) for c in answer(result)["cells"]] == [
        ("A", "few", 0, None), ("alla", "few", 0, None),
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["protect", "audit"])
@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (four_by_four(), (), "name the table's dimensions"),
        (four_by_four(), ("--dim", "row"), "column column is no dimension"),
        (four_by_four(), ("--dim", "sex"), "no column sex"),
        (four_by_four(), ("--dim", "row", "--dim", "row"), "twice"),
        (four_by_four(), ("--dim", "count"), "none of count"),
        (four_by_four(), ("--dim", "row=none.csv", "--dim", "column"), "none.csv"),
        (four_by_four(), (*DIMENSIONS, "--threshold", "1"), "threshold"),
        (four_by_four(), (*DIMENSIONS, "--attacker", "weak"), "attacker"),
        ("", DIMENSIONS, "empty"),
        ("row;column;count;suppressed\nA;a;-1;0\n", DIMENSIONS, "not a whole number"),
        ("row;column;count;suppressed\nA;a;1;0\nA;a;2;0\n", DIMENSIONS, "stood in line 2"),
        ("row;column;count;suppressed\nA;a;1;maybe\n", DIMENSIONS, "neither true nor false"),
        (four_by_four().replace("w,alla,230", "w,alla,231"), DIMENSIONS, "row w, column alla is given as 231"),
    ],
)
def test_commands_refuse_bad_input_in_words(
    tmp_path: Path, command: str, text: str, options: tuple[str, ...], message: str
) -> None:
    result = run(tmp_path, command, text, *options)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert isinstance(result.exception, SystemExit)


def test_audit_needs_to_know_what_is_suppressed(tmp_path: Path) -> None:
    result = run(tmp_path, "audit", FOUR_BY_TWO, *DIMENSIONS)
    assert (result.exit_code, "no column suppressed" in result.output) == (2, True)


def test_audit_refuses_figures_that_contradict_each_other(tmp_path: Path) -> None:
    text = "row,count,suppressed\nA,,1\nB,20,0\nalla,12,0\n"
    result = run(tmp_path, "audit", text, "--dim", "row")
    assert result.exit_code == 2
    assert "the parts are more than the whole" in result.output
