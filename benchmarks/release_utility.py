"""How useful a release is: its published figures beside the true ones of the private marts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from scipy.stats import kendalltau

from ingest.organisation import whole_code
from publish.marts.declared import Mart, load_marts
from publish.release.equity import EXACT
from publish.serving.release_file import name, sql_literal

LEAST_DENOMINATOR, LEAST_UNITS, CLOSE = 30, 5, 2
DISTRICTS = "select district_code from warehouse.core.dim_district where kind = 'district'"


@dataclass(frozen=True)
class Utility:
    """Figures to print, each beside what is wanted: (what, found, wanted)."""

    rows: tuple[tuple[str, str, str], ...]


def utility(warehouse: Path, release: Path) -> Utility:
    """Compare a release with the marts that it was made from.

    Args:
        warehouse: the private file.
        release: `followup.duckdb` as readers get it.
    """
    errors: list[float] = []
    taus: dict[str, list[float]] = {}
    close = counted = 0
    few: list[tuple[str, str, str]] = []
    with duckdb.connect() as connection:
        connection.execute("set memory_limit = '1GB'")
        connection.execute(f"attach {sql_literal(warehouse)} as warehouse (read_only)")
        connection.execute(f"attach {sql_literal(release)} as release (read_only)")
        for mart in load_marts().values():
            both = _both(connection, mart)
            for rate, one in mart.rates.items():
                errors += _errors(connection, both, rate, one.whole) if one.interval else []
                for kind, tau in _taus(connection, mart, both, rate):
                    taus.setdefault(kind, []).append(tau)
            for count in mart.person_counts if "district_code" in mart.keys else ():
                within, of = connection.execute(
                    f"select count(*) filter (abs(p.{name(count)} - t.{name(count)}) <= {CLOSE}), count(*) from {both} "
                    f"where p.district_code = '{whole_code()}' and p.cut = 'total' and t.{name(count)} is not null"
                ).fetchone() or (0, 0)
                close, counted = close + within, counted + of
            few += _too_few(connection, mart)
        ranked = list(_equity(connection))
    found = [
        (
            f"error of rates of {LEAST_DENOMINATOR} or more, of their half-width",
            f"{np.mean(errors):.2f} ({len(errors):,} rates)",
            "at most 0.33",
        ),
        *(
            (f"order of districts, {kind}: mean Kendall's tau", f"{np.mean(all_of):.2f} ({len(all_of)} orders)", "0.90")
            for kind, all_of in sorted(taus.items())
        ),
        *ranked,
        (f"city totals within {CLOSE} of the truth", f"{close / max(counted, 1):.1%} of {counted:,}", "95 %"),
        *few,
    ]
    return Utility(tuple(found))


def _both(connection: duckdb.DuckDBPyConnection, mart: Mart) -> str:
    """Published rows `p` beside the true rows `t`."""
    there = {
        column
        for (column,) in connection.execute(
            "select column_name from duckdb_columns() where database_name = 'release' and table_name = ?", [mart.mart]
        ).fetchall()
    }
    on = [column for column in (*mart.keys, *mart.columns_of_dimensions) if column in there]
    same = " and ".join(f"p.{name(one)} is not distinct from t.{name(one)}" for one in on)
    return f"release.published.{mart.mart} as p join warehouse.marts.{mart.mart} as t on {same}"


def _errors(connection: duckdb.DuckDBPyConnection, both: str, rate: str, whole: str) -> list[float]:
    """Of each rate its distance from the true one, in half-widths of the true one's interval."""
    found = connection.execute(
        f"select abs(p.{rate} - t.{rate}) / ((t.{rate}_high - t.{rate}_low) / 2) from {both} "
        f"where t.{name(whole)} >= {LEAST_DENOMINATOR} and p.{rate} is not null and t.{rate}_high > t.{rate}_low "
        f"and not p.is_capped"
    ).fetchall()
    return [float(one) for (one,) in found]


def _taus(connection: duckdb.DuckDBPyConnection, mart: Mart, both: str, rate: str) -> Iterator[tuple[str, float]]:
    """How alike the districts' order is by the published and by the true rate, per period, of totals."""
    if "district_code" not in mart.keys:
        return
    period = mart.period or "''"
    kind = "p.period_kind" if "period_kind" in mart.keys else "'kvartal'"
    by = ["p." + one for one in mart.keys if one not in ("district_code", mart.period)]
    groups = connection.execute(
        f"select {kind}, list(p.{rate} order by p.district_code), list(t.{rate} order by p.district_code) from {both} "
        f"where p.district_code <> '{whole_code()}' and p.cut = 'total' and p.{rate} is not null "
        f"group by {', '.join([kind, 'p.' + period if mart.period else period, *by])} having count(*) >= {LEAST_UNITS}"
    ).fetchall()
    for what, published, true in groups:
        tau = float(kendalltau(published, true).statistic)
        if not np.isnan(tau):
            yield str(what), tau


def _equity(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str]]:
    """The districts' order by equity's measures of persons, and whether the limits of ranks hold the true rank."""
    exact = ", ".join(sql_literal(one) for one in EXACT)
    both = (
        f"{_both(connection, load_marts()['mart_equity'])} "
        f"where p.measure not in ({exact}) and p.district_code in ({DISTRICTS})"
    )
    taus: dict[str, list[float]] = {}
    for kind, published, true in connection.execute(
        f"select p.period_kind, list(p.value order by p.district_code), list(t.value order by p.district_code) "
        f"from {both} and p.value is not null and t.value is not null "
        f"group by p.period_kind, p.period, p.district_basis, p.measure having count(*) >= {LEAST_UNITS}"
    ).fetchall():
        tau = float(kendalltau(published, true).statistic)
        taus.setdefault(kind, []).extend([] if np.isnan(tau) else [tau])
    for kind, all_of in sorted(taus.items()):
        yield f"equity's order, {kind}: mean Kendall's tau", f"{np.mean(all_of):.2f} ({len(all_of)} orders)", "0.90"
    for kind, within, of in connection.execute(
        f"select p.period_kind, avg((t.district_rank between p.district_rank_low and p.district_rank_high)::int), "
        f"count(*) from {both} and p.district_rank_low is not null and t.district_rank is not null "
        f"group by 1 order by 1"
    ).fetchall():
        yield f"equity, {kind}: true ranks within their limits", f"{within:.1%} of {of:,}", "95 %"


def _too_few(connection: duckdb.DuckDBPyConnection, mart: Mart) -> Iterator[tuple[str, str, str]]:
    """The share of rates of too few, by kind of period, of totals and of cuts by two."""
    if not mart.rates:
        return
    kind = "period_kind" if "period_kind" in mart.keys else "'kvartal'"
    nulls = " + ".join(f"({rate} is null)::integer" for rate in mart.rates)
    for what, all_of, total, two in connection.execute(
        f"select {kind}, avg(({nulls}) / {len(mart.rates)}), "
        f"avg(({nulls}) / {len(mart.rates)}) filter (cut = 'total'), "
        f"avg(({nulls}) / {len(mart.rates)}) filter (cut like '%+%') "
        f"from release.published.{mart.mart} group by 1 order by 1"
    ).fetchall():
        shares: Mapping[str, float | None] = {"all": all_of, "totals": total, "cuts by two": two}
        said = ", ".join(f"{name_of} {share:.0%}" for name_of, share in shares.items() if share is not None)
        yield f"{mart.mart}, {what}: rates of too few", said, "40 %, a year 10 %"
