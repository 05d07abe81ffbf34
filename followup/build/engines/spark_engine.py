"""Apache Spark: dbt runs on a session in this process; the work is done on one machine or on a cluster.

Each build has a catalogue of its own, in memory, and a folder of its own for tables. On a cluster (`spark://…`)
FOLLOWUP_HOME must be on a file system that all its machines see under the same path.
"""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from followup.build.engines.engine import EngineMissing, memory_allowed
from followup.build.engines.parquet_warehouse import COMPACTED, new_folder, remove_unused, write_views
from followup.build.engines.spark_sources import write_sources
from publish.catalogue.manifest import Manifest

MISSING = "FOLLOWUP_ENGINE is spark, and {what} is not here: run tools/setup.sh spark, and followup from .venv-spark"
UNREACHABLE = "FOLLOWUP_SPARK_MASTER is {master}, and no master answers there: see that it runs, or mend the setting"
NOT_STARTED = (
    "Spark could not be started at {master} ({kind}): see that Java is 17 or newer, that a master of the same "
    "Spark answers there, and that the settings in SPARK_CONF_DIR fit it"
)
_PATIENCE_SECONDS = 5
_SOURCES = "sources"
_QUIET = ("py4j", "SQLQueryContextLogger", "pyspark")
"""Loggers that would write what a query was about on standard error; dbt's messages are in the build's log."""


class SparkEngine:
    """Builds in a folder of Parquet files, which a DuckDB file of views points to."""

    target = "spark"

    def __init__(self, master: str, options: Mapping[str, str] | None = None) -> None:
        """`master`: Spark's master URL; `options`: Spark's settings beside ours, or in their place."""
        self.master, self.options = master, dict(options or {})
        self._folder: Path | None = None

    def require(self) -> None:
        """See whether Spark's packages and Java are here, and a master answers where the work is done elsewhere."""
        require_packages()
        require_java()
        require_master(self.master)

    @contextmanager
    def session(self, warehouse: Path, folder: Path, marts: Path) -> Iterator[None]:
        """A session that dbt finds, with the sources as tables; it ends with the block."""
        self.require()
        temporary = folder / "spark"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True, mode=0o700)
        try:
            self._folder = new_folder(marts)
            # sources are beside the marts: on a cluster all its machines read them
            sources = write_sources(folder, self._folder / _SOURCES, marts / COMPACTED)
            session = _start(self.master, _settings(self.master, self._folder, temporary / "local") | self.options)
            try:
                session.sql("create schema src")
                for name, place in sources.items():
                    session.sql(f"create table src.{name} using parquet location '{_escaped(place)}'")
                yield
            finally:
                session.stop()
        except BaseException:  # Ctrl-C too: the folder has rows about persons
            self.remove(warehouse)
            raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def complete(self, warehouse: Path, described: Manifest) -> None:
        """Write the file of views; the tables' files are on disk before."""
        assert self._folder is not None
        shutil.rmtree(self._folder / _SOURCES, ignore_errors=True)
        write_views(warehouse, self._folder, described)

    def remove(self, warehouse: Path) -> None:
        """Remove the file of views and the folder of this build."""
        warehouse.unlink(missing_ok=True)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def tidy(self, warehouse: Path, *, only_in_place: bool = False) -> None:
        """Remove the folders of builds that were killed, and of older warehouses."""
        remove_unused(warehouse, only_in_place=only_in_place)


def _escaped(place: Path) -> str:
    return str(place).replace("\\", "\\\\").replace("'", "\\'")


def require_packages() -> None:
    """See whether Spark's packages are here; EngineMissing names the one that is not."""
    for module in ("dbt.adapters.spark", "pyspark"):
        if find_spec(module) is None:
            raise EngineMissing(MISSING.format(what=module))


def require_java() -> None:
    """See whether Spark will find a Java (JAVA_HOME goes before PATH); EngineMissing when not."""
    home = os.environ.get("JAVA_HOME")
    if home and shutil.which(f"{home}/bin/java") is None:
        raise EngineMissing(f"there is no bin/java in JAVA_HOME ({home}): mend or unset it")
    if shutil.which("java") is None and not home:
        raise EngineMissing(MISSING.format(what="java"))


def require_master(master: str) -> None:
    """See whether one of the masters of `spark://…` answers; EngineMissing when none does."""
    addresses = master.removeprefix("spark://").split(",") if master.startswith("spark://") else []
    if addresses and not any(map(_answers, addresses)):
        raise EngineMissing(UNREACHABLE.format(master=master))


def _answers(address: str) -> bool:
    """Whether something listens at `host:port`. Spark itself would try for a minute, and end the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_PATIENCE_SECONDS).close()
    except (OSError, OverflowError, UnicodeError):  # no such port, no name of a host
        return False
    return True


def _is_shown(record: logging.LogRecord) -> bool:
    """Not py4j's tracebacks when Ctrl-C ends a build: they go to the root logger."""
    return "py4j" not in Path(record.pathname).parts


def _start(master: str, settings: Mapping[str, str]) -> Any:
    """Start a session.

    Raises:
        EngineMissing: Spark can't be started.
    """
    from pyspark.core.context import Py4JError
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    logging.getLogger().addFilter(_is_shown)  # the same one again is no second
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    builder = SparkSession.builder.master(master).appName("followup")
    for key, value in settings.items():
        builder = builder.config(key, value)
    try:
        session = builder.getOrCreate()
    except (Py4JError, PySparkException) as error:
        raise EngineMissing(NOT_STARTED.format(master=master, kind=type(error).__name__)) from None
    session.sparkContext.setLogLevel("OFF")
    return session


def _settings(master: str, tables: Path, temporary: Path) -> dict[str, str]:
    settings = {
        "spark.sql.warehouse.dir": str(tables),
        "spark.local.dir": str(temporary),
        "spark.sql.catalogImplementation": "in-memory",
        # what is written is for this user alone, whatever Hadoop's default
        "spark.hadoop.fs.permissions.umask-mode": "077",
        # dates and times as DuckDB has them; an overflow or a bad cast is an error, never a null
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
        "spark.sql.ansi.enabled": "true",
        "spark.scheduler.mode": "FAIR",
        # no web page with queries, and nothing about this build is stored
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.log.level": "OFF",
    }
    if master.startswith("local"):
        settings |= {
            "spark.driver.memory": memory_allowed().removesuffix("iB").lower(),
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
            "spark.sql.shuffle.partitions": str(2 * (os.cpu_count() or 1)),
            # other users of this machine may reach its ports
            "spark.authenticate": "true",
            "spark.authenticate.secret": secrets.token_hex(32),
        }
    if master.startswith("local-cluster"):
        settings["spark.executor.memory"] = f"{master.rstrip(']').rpartition(',')[2].strip()}m"
    return settings
