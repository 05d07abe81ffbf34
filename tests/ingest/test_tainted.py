"""Whatever a sender writes wherever, no answer and no log repeats a person's number or name."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace

import pytest
from files import DISTRICT, KEYS, QUARTER, base_row, check
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.checking import CheckReport
from ingest.contracts import load_contracts
from ingest.feedback import as_json, as_text
from ingest.naming import read_name
from ingest.queries import queries_of

DATASETS = sorted(load_contracts())
NUMBERS = (
    "20100315-9801", "201003159801", "100315-9801", "1003159801", "100315+9801", "505059824",
    "50505-9824", "20050505–9824", "050505/9824", "20100375-9840",
)  # fmt: skip
NAMES = ("Testa Testsdotter", "TESTSDOTTER, Testa", "testa.testsdotter@example.org", "Åsa Testsdotter-Öberg")
TRACES = ("9801", "9824", "9840", "testsdotter")
"""What of them would stand in an answer that repeats one."""
LOGGED = ("1003159801", "505059824", "1003759840", "testsdotter")
"""The same in a log, signs left out; logs of libraries hold numbers of their own."""
TAINTS = st.sampled_from([*NUMBERS, *NAMES])
AROUND = st.sampled_from(["{}", " {} ", "se {}", "{}, skola", "2018-07-02 {}", "=HYPERLINK({})", "{}|bostad", "#{}"])


def told(report: CheckReport, name: str) -> str:
    """Everything that is said or kept of a file, rows in force aside."""
    dataset = report.name.dataset
    said = ["\n".join(as_text(name, report)), json.dumps(as_json(name, report), ensure_ascii=False)]
    if dataset is not None and report.table is not None:
        said.append(str(queries_of(report, load_contracts()[dataset], KEYS).to_pylist()))
    said += [repr(report), report.name.shown]
    return "\n".join(said).lower()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), dataset=st.sampled_from(DATASETS), taint=TAINTS, around=AROUND)
def test_what_stands_in_any_cell_or_header_is_never_repeated(
    caplog: pytest.LogCaptureFixture, data: st.DataObject, dataset: str, taint: str, around: str
) -> None:
    columns = load_contracts()[dataset].columns
    head, cells = [c.label_sv for c in columns], [base_row(dataset).get(c.name, "") for c in columns]
    text = around.format(taint)
    for place in data.draw(st.sets(st.integers(0, len(columns) - 1), min_size=1, max_size=4)):
        where = data.draw(st.sampled_from(["cell", "cell", "cell", "header", "extra"]))
        if where == "cell":
            cells[place] = text
        elif where == "header":
            head[place] = text
        else:
            head.append(data.draw(st.sampled_from(["Notering", text])))
            cells.append(text)
    lines = [";".join(f'"{cell}"' for cell in record) for record in (head, cells)]
    with caplog.at_level(logging.DEBUG):
        report = check("\r\n".join([*lines, ""]).encode(), f"{DISTRICT}_{dataset}_{QUARTER}.csv")
        said = told(report, f"{DISTRICT}_{dataset}_{QUARTER}.csv")
        logged = re.sub(r"[-+/–_ ]", "", caplog.text.lower())
    caplog.clear()
    assert [trace for trace in TRACES if trace in said] == []
    assert [trace for trace in LOGGED if trace in logged] == []


@settings(max_examples=100, deadline=None)
@given(
    taint=st.sampled_from(NUMBERS),
    form=st.sampled_from(["{}.csv", "bromma_{}_2018Q3.csv", "bromma_arenden_2018Q3 {}.csv"]),
)
def test_number_in_a_files_name_is_never_shown(taint: str, form: str) -> None:
    name = read_name(form.format(taint.replace("/", "_")))
    said = told(replace(check(b"", f"{DISTRICT}_arenden_{QUARTER}.csv"), name=name), name.shown)
    assert [trace for trace in TRACES if trace in said] == []
