"""Both engines on drawn cities of growing size: seconds, CPU seconds, memory (`make bench-spark`, in .venv-spark).

    LIMIT=1800 python benchmarks/spark_scales.py 1 10 100

Each build is a process of its own, with what it starts counted in: models and seeds, no tests. Memory is the largest
sum of resident memory seen; shared pages count once per process. To draw the rows is counted in, the same for both.
A build that does not end within LIMIT seconds is stopped: the size is not reached, and larger ones are not tried.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROWS_AT_ONE = 25
"""Cases per file at scale 1."""
FILES_OF_CASES = 17
"""In the drawn city's five quarters, those in force."""


def build(engine: str, scale: int, folder: Path) -> None:
    """Draw the city and build it, in this process."""
    sys.path[:0] = [str(ROOT), *(str(ROOT / "tests" / name) for name in ("", "dbt_project", "spark"))]
    from spark_cities import build_on_duckdb, build_on_spark, drawn_city

    inputs = drawn_city(1, cases=ROWS_AT_ONE * scale)(folder / "inputs")
    if engine == "duckdb":
        build_on_duckdb(inputs, folder / "built")
    else:
        master = os.environ.get("FOLLOWUP_SPARK_MASTER", "local[*]")
        build_on_spark(inputs, folder / "built", master, options={})


def _usage(root: int) -> tuple[float, int]:
    """CPU seconds and resident bytes of a process and its descendants that are alive."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    stats = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            stats[int(place.name)] = (place / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
    below = {root}
    while more := {pid for pid, stat in stats.items() if int(stat[1]) in below} - below:
        below |= more
    known = [stats[pid] for pid in below if pid in stats]
    return sum(int(stat[11]) + int(stat[12]) for stat in known) / ticks, sum(int(stat[21]) for stat in known) * page


def measure(engine: str, scale: int, limit: float) -> tuple[float, float, float, bool]:
    """Seconds, CPU seconds and GiB of one build, and whether it ended within `limit` seconds; else it is stopped."""
    with tempfile.TemporaryDirectory() as folder:
        began, cpu, memory = time.monotonic(), 0.0, 0
        said = Path(folder) / "stderr"
        with said.open("wb") as handle:
            running = subprocess.Popen(
                [sys.executable, __file__, "--one", engine, str(scale), folder], stderr=handle, start_new_session=True
            )
        try:
            while running.poll() is None and time.monotonic() - began < limit:
                now, resident = _usage(running.pid)
                cpu, memory = max(cpu, now), max(memory, resident)
                time.sleep(0.5)
            seconds, ended = time.monotonic() - began, running.poll() is not None
        finally:
            if running.poll() is None:
                os.killpg(running.pid, signal.SIGKILL)  # with the Java that it started
                running.wait()
        if ended and running.returncode:
            raise SystemExit(f"{engine} at scale {scale} failed:\n{said.read_text()[-3000:]}")
        return seconds, cpu, memory / (1 << 30), ended


def main(scales: list[int], limit: float) -> None:
    """Print a line per engine and scale, and where the lines would cross. Each build has `limit` seconds."""
    ended: dict[str, list[tuple[int, float]]] = {"duckdb": [], "spark": []}
    too_large: dict[str, int] = {}
    cores = os.cpu_count() or 1
    print(
        f"{cores} cores, load {os.getloadavg()[0]:.1f} before: seconds say little where others work too, CPU seconds "
        f"do. A build is stopped after {limit:.0f} s."
    )
    print("engine   scale     cases  seconds  CPU s    GiB  growth of CPU s", flush=True)
    for scale in sorted(scales):
        for engine, lines in ended.items():
            shown = f"{engine:8} {scale:5} {ROWS_AT_ONE * scale * FILES_OF_CASES:9,}"
            if engine in too_large:
                print(f"{shown}  not tried: scale {too_large[engine]} was not reached", flush=True)
                continue
            seconds, cpu, memory, in_time = measure(engine, scale, limit)
            if in_time:
                said = f"{cpu / lines[-1][1]:.1f}×" if lines else ""
                lines.append((scale, cpu))
            else:
                said, too_large[engine] = "not reached: stopped here", scale
            print(f"{shown} {seconds:8.1f} {cpu:6.0f} {memory:6.2f}  {said}", flush=True)
    if all(len(lines) > 1 for lines in ended.values()):
        print(_crossing(ended, cores))
    else:
        print("No estimate of where the lines cross: it takes two scales that both engines reach.")


def _crossing(ended: dict[str, list[tuple[int, float]]], cores: int) -> str:
    """Where Spark on more cores would take the seconds of DuckDB on these: by straight lines through CPU seconds."""
    line = {}
    for engine, ((smaller, before), (larger, cpu)) in ((engine, lines[-2:]) for engine, lines in ended.items()):
        slope = max((cpu - before) / (larger - smaller), 0)
        line[engine] = (cpu - slope * larger, slope)
    (start_duckdb, duckdb), (start_spark, spark) = line["duckdb"], line["spark"]
    said = [
        "Estimate. Ground: straight lines through the CPU seconds of the two largest scales that each engine reached. "
        "What Spark takes for any size does not spread over more cores; the rest does evenly, no network slows it. "
        f"DuckDB has this machine's {cores} cores."
    ]
    for times in (1, 4, 16):
        gain, behind = duckdb - spark / times, max(start_spark - start_duckdb, 0)
        cases = behind / gain * ROWS_AT_ONE * FILES_OF_CASES if gain > 0 else None
        where = "do not cross" if cases is None else f"cross at about {cases:,.0f} cases"
        said.append(f"With Spark on {times * cores} cores the lines {where}.")
    return "\n".join(said)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        build(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main([int(scale) for scale in sys.argv[1:]] or [1, 10, 100], float(os.environ.get("LIMIT") or 1800))
