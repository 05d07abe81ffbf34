"""The API does what its description says, whatever is sent: no answer of ours goes wrong, and none is undocumented.

By Schemathesis, with few requests; `make fuzz-api` sends many (API_EXAMPLES).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from api_calling import API, Program, installation, program, work_all
from browsing import ORIGIN, Place
from handing_over import arenden
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks
from test_api_gate import gate_of

from portal.api.gate import Buckets

EXAMPLES = int(os.environ.get("API_EXAMPLES", "5"))
CHECKS = [
    schemathesis.checks.not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_schema_conformance, checks.response_headers_conformance, checks.ignored_auth,
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = installation(tmp_path_factory.mktemp("described"), now="2018-10-10T08:00:00")
    gate_of(made)._of_token, gate_of(made)._of_address = Buckets(1e9, 1e9), Buckets(1e9, 1e9)
    yield made
    made.close()


@pytest.fixture(scope="module")
def bromma(place: Place) -> Program:
    return program(place, "bromma")


@pytest.fixture(scope="module")
def ids(place: Place, bromma: Program) -> dict[str, list[str]]:
    """Real ids for the parameters of paths."""
    name, asked = "bromma_arenden_2018Q3.csv", {"forhandsbedomning_klar": "2018-07-17"}
    sent = [bromma.send(arenden("A1", **asked), name, "submit"), bromma.send(arenden("A2", kon="X"), name)]
    work_all(place)
    sent.append(bromma.send(arenden("A3"), name))  # it waits
    uploads = [one.json()["uploads"][0] for one in sent]
    found = [one.submission_id for one in place.ledger.submissions(district="bromma")]
    return {
        "upload_id": [one["upload_id"] for one in uploads],
        "batch_id": [one["batch_id"] for one in uploads],
        "submission_id": found,
        "dataset": ["arenden", "grupper"],
    }


def rejects(case: Any, answer: Any) -> list[Any]:
    """The check that what is wrong is refused, where it was sent: of a parameter that is an empty list nothing is."""
    sent = {name for name, _ in parse_qsl(urlsplit(answer.request.url).query, keep_blank_values=True)}
    return [checks.negative_data_rejection] if set(case.query or {}) <= sent else []


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_operation_answers_as_described(
    place: Place, bromma: Program, ids: dict[str, list[str]], mode: GenerationMode
) -> None:
    schema = schemathesis.openapi.from_dict(place.browser().open(f"{API}/openapi.json").json())
    schema.app = place.app
    schema.config.update(base_url=f"{ORIGIN}{API}")
    seen: Counter[int] = Counter()
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 20
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.path_parameters or operation.body):
            continue

        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize="API_EXAMPLES" not in os.environ, database=None,
            phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        def answers(case: Any, data: st.DataObject) -> None:
            for name in set(case.path_parameters or {}) & set(ids):
                if mode is GenerationMode.POSITIVE and data.draw(st.integers(0, 3)):
                    case.path_parameters[name] = data.draw(st.sampled_from(ids[name]))
            if mode is GenerationMode.POSITIVE and "wait" in (case.query or {}):
                case.query["wait"] = 0
            answer = case.call(headers=bromma.headers)
            seen[answer.status_code] += 1
            case.validate_response(answer, checks=[*CHECKS, *rejects(case, answer)], headers=bromma.headers)

        answers()
    assert not [status for status in seen if status >= 500]
    assert seen[200] if mode is GenerationMode.POSITIVE else seen[422] or seen[404], seen
