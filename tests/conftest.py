"""What holds for every test: nothing beyond this machine is reached, nothing is written into the checkout.

Before anything of ours or Airflow's is imported, every place where state could go (FOLLOWUP_*, AIRFLOW_HOME) is set to
a temporary folder of this test process, and the network guard is installed here and in all Python processes it starts.
"""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# On a busy machine an example may take long: that is no fault.
settings.register_profile("untimed", settings.default, deadline=None)
settings.load_profile("untimed")

# The client of the tests writes every address that it asks for into its log: what the tests look for is in ours.
logging.getLogger("httpx2").setLevel(logging.WARNING)

# The test processes of one run have a folder together: the first makes it, those that it starts are given its name.
_IS_FIRST = "FOLLOWUP_TEST_SHARED" not in os.environ
_SHARED = Path(tempfile.mkdtemp(prefix="followup-tests-") if _IS_FIRST else os.environ["FOLLOWUP_TEST_SHARED"])
_SCRATCH = Path(tempfile.mkdtemp(prefix="followup-test-"))
_NETWORK_LOG = _SCRATCH / "network.log"
_GUARD = Path(__file__).parent / "network_guard"

for _name in [name for name in os.environ if name.startswith("FOLLOWUP_")]:
    del os.environ[_name]
os.environ |= {
    "FOLLOWUP_HOME": str(_SCRATCH / "home"),
    "FOLLOWUP_INBOX": str(_SCRATCH / "inbox"),
    "FOLLOWUP_KEYS": str(_SCRATCH / "keys.json"),
    # all installations of a run share it: parsing takes half of a small city's build
    "FOLLOWUP_PARSED": str(_SHARED / "parsed"),
    "FOLLOWUP_POSTGRES_HOME": str(_SCRATCH / "postgres"),
    "FOLLOWUP_TEST_NETWORK_LOG": str(_NETWORK_LOG),
    "FOLLOWUP_TEST_SHARED": str(_SHARED),
    "AIRFLOW_HOME": str(_SCRATCH / "airflow"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "PYTHONPATH": os.pathsep.join(filter(None, [str(_GUARD), os.environ.get("PYTHONPATH", "")])),
}
sys.path.insert(0, str(_GUARD))
sys.modules.pop("sitecustomize", None)
import sitecustomize  # noqa: E402, F401  (importing it installs the guard)


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    """Entry points that a test calls in this process change its umask; every test begins with the usual one."""
    os.umask(0o022)
    yield
    os.umask(0o022)


@pytest.fixture(autouse=True)
def no_connection_beyond_loopback() -> Iterator[None]:
    """Fail the test in which this process, or a Python that it started, tried to reach another machine."""
    _NETWORK_LOG.unlink(missing_ok=True)
    yield
    if _NETWORK_LOG.exists():
        tried = _NETWORK_LOG.read_text(encoding="utf-8")
        _NETWORK_LOG.unlink()
        pytest.fail(f"tried to reach beyond this machine:\n{tried}", pytrace=False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files and folders whose tests take long go first, so that no worker is left alone with one at the end."""
    long = ["test_runs", "followup", "test_release_runs", "dbt_project", "docker", "dags"]
    here = {path.stem for path in (*Path(__file__).parent.iterdir(), *Path(__file__).parent.rglob("test_*.py"))}
    assert here.issuperset(long), "a folder or file that goes first has another name now"

    def place(item: pytest.Item) -> int:
        return min(
            (long.index(name) for name in (item.path.stem, item.path.parent.name) if name in long), default=len(long)
        )

    items.sort(key=place)


def pytest_sessionfinish() -> None:
    """Leave nothing in the temporary folder."""
    shutil.rmtree(_SCRATCH, ignore_errors=True)
    if _IS_FIRST:
        shutil.rmtree(_SHARED, ignore_errors=True)
