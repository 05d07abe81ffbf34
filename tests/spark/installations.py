"""Installations whose marts are built on Spark: the small dbt project of frozen figures, and commands in processes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from frozen_city import settings_of, write_frozen_project

from ingest.settings import EngineName, Settings

MASTER = os.environ.get("FOLLOWUP_SPARK_MASTER", "local[2]")
ENVIRONMENT = {"FOLLOWUP_ENGINE": "spark", "FOLLOWUP_SPARK_MASTER": MASTER}
_OF_SPARK = {
    "models/core/fct_case.sql": "select * from src.arenden",
    "models/core/fct_submission.sql": "select submission_id, version from src.submissions",
}
_SMALL = """
spark.sql.codegen.wholeStage      false
spark.sql.codegen.factoryMode     NO_CODEGEN
spark.sql.shuffle.partitions      2
"""
"""Spark's settings for tables of a few rows: compiling Java code for each query takes longer than the query."""


def write_spark_project(folder: Path, **models: str) -> Path:
    """The small project, its inputs read as Spark does."""
    write_frozen_project(folder, **models)
    for name, text in _OF_SPARK.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def on_spark(root: Path, master: str = MASTER) -> Settings:
    """The settings of an installation with Spark as its engine."""
    return settings_of(root).model_copy(update={"engine": EngineName.SPARK, "spark_master": master})


def spark_conf(folder: Path, **more: str) -> dict[str, str]:
    """The environment that lets Spark read settings for small tables from a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{key.replace('__', '.')} {value}\n" for key, value in more.items())
    (folder / "spark-defaults.conf").write_text(_SMALL + lines)
    return {"SPARK_CONF_DIR": str(folder)}


def start(program: str, *arguments: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a program of Python in a process group of its own, so that its Java goes with it."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
