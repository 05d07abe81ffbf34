"""Small cities for the attacks: records, counted in every cut, published by a deviation drawn from what is counted."""

import duckdb
import numpy as np
import pyarrow as pa

from publish.attack.bounds import bound, spread
from publish.attack.figures import Declared, Figures
from publish.attack.likelihood import Deviation
from publish.attack.relations import relations_of

DIMENSIONS = ("sex", "age_band", "reason")
CODES = {
    "sex": ("kvinna", "man"),
    "age_band": ("0-5", "6-12", "13-17", "18-20"),
    "reason": ("vald", "missbruk", "skola", "kriminalitet", "annat"),
}
SHARES = {"sex": (0.45, 0.55), "age_band": (0.25, 0.39, 0.31, 0.05), "reason": (0.35, 0.15, 0.25, 0.05, 0.2)}
CUTS = ((), ("sex",), ("age_band",), ("reason",), ("sex", "age_band"), ("sex", "reason"), ("age_band", "reason"))
CUTS += (("sex", "age_band", "reason"),)


def records(seed, units=("norr", "soder", "vaster"), quarters=("2018Q1", "2018Q2", "2018Q3", "2018Q4"), size=60):
    """One row per case: where, when, what, and whether help was offered and accepted."""
    random = np.random.default_rng(seed)
    count = random.poisson(size, (len(units), len(quarters)))
    unit = np.repeat(np.repeat(units, len(quarters)), count.ravel())
    quarter = np.repeat(np.tile(quarters, len(units)), count.ravel())
    columns = {"unit": unit, "quarter": quarter, "record_key": random.integers(0, 2**32, len(unit))}
    for name, codes in CODES.items():
        columns[name] = random.choice(codes, len(unit), p=SHARES[name])
    columns["offered"] = random.random(len(unit)) < 0.3
    columns["accepted"] = columns["offered"] & (random.random(len(unit)) < 0.67)
    columns["concluded"] = np.ones(len(unit), dtype=bool)
    return pa.table({name: pa.array(list(column)) for name, column in columns.items()})


def counts(cases, measures=("concluded",), dimensions=DIMENSIONS, cuts=CUTS, current=None, years=True):
    """The true figures: a row per measure, unit, division, period and cut, with `true` and the sum of the keys."""
    con = duckdb.connect()
    con.register("cases", cases)
    quarters = sorted(set(cases["quarter"].to_pylist()))
    periods = [("kvartal", quarter, quarter) for quarter in quarters]
    for at in range(3, len(quarters)) if years else ():
        periods += [("rullande_ar", quarters[at], quarter) for quarter in quarters[at - 3 : at + 1]]
        if quarters[at].endswith("4"):
            periods += [("ar", quarters[at][:4], quarter) for quarter in quarters[at - 3 : at + 1]]
    con.execute("create table periods (period_kind varchar, period varchar, quarter varchar)")
    con.executemany("insert into periods values (?, ?, ?)", periods)
    units = sorted(set(cases["unit"].to_pylist()))
    places = [(unit, "as_submitted", unit) for unit in units] + [(unit, "as_submitted", "stockholm") for unit in units]
    places += [(unit, "today", (current or {}).get(unit, unit)) for unit in units]
    places += [(unit, "today", "stockholm") for unit in units]
    con.execute("create table places (own varchar, basis varchar, unit varchar)")
    con.executemany("insert into places values (?, ?, ?)", places)
    sets = ", ".join(f"({', '.join(('p.unit', 'basis', 'period_kind', 'period', *cut))})" for cut in cuts)
    wanted = ", ".join(
        f"count(*) filter (where {m}) as {m}, "
        f"cast(coalesce(sum(record_key) filter (where {m}), 0) % 4294967296 as bigint) as {m}__key"
        for m in measures
    )
    codes = ", ".join(f"coalesce({name}, 'alla') as {name}" for name in dimensions)
    wide = con.sql(f"""
        select p.unit, basis, period_kind, period, {codes}, {wanted}
        from cases join places as p on cases.unit = p.own join periods using (quarter)
        group by grouping sets ({sets}) order by all
    """).to_arrow_table()
    parts = []
    for measure in measures:
        part = wide.select(["unit", "basis", "period_kind", "period", *dimensions])
        part = part.append_column("measure", pa.array([measure] * len(wide)))
        parts.append(part.append_column("true", wide[measure]).append_column("key_sum", wide[f"{measure}__key"]))
    return pa.concat_tables(parts)


def drawn(true, secret, deviation=None, salted=True):
    """What is published of a table of counts: salted by the content of each measure, unit and period."""
    deviation = deviation or Deviation()
    con = duckdb.connect()
    con.register("t", true.append_column("n", pa.array(range(len(true)))))
    dimensions = [name for name in true.column_names if name not in (*KEYS, "true", "key_sum")]
    is_total = " and ".join(f"{name} = 'alla'" for name in dimensions)
    group = ", ".join(KEYS) if salted else "measure"
    total = f"max(key_sum) filter (where {is_total}) over w" if salted else "0"
    u = con.sql(f"""
        select hash({int(secret)}, measure, key_sum, {total}) / 18446744073709551616.0 as u
        from t window w as (partition by {group}) order by n
    """).fetchnumpy()["u"]
    counts = true["true"].to_numpy()
    own = np.minimum(counts, deviation.top)
    published = counts - own
    cumulative = np.cumsum(deviation.matrix, axis=1)
    for count in np.unique(own):
        rows = own == count
        published[rows] += np.searchsorted(cumulative[count], u[rows] * cumulative[count, -1])
    return published


KEYS = ("measure", "unit", "basis", "period_kind", "period")


def release(true, published, **extra):
    """The table that readers get: rows without a published count are left out."""
    columns = [name for name in true.column_names if name not in ("true", "key_sum")]
    dimensions = [name for name in columns if name not in KEYS]
    table = true.select(columns).append_column("published", pa.array(published))
    for name, value in extra.items():
        table = table.append_column(name, pa.array([value] * len(table)))
    con = duckdb.connect()
    con.register("t", table.append_column("n", pa.array(range(len(table)))))
    row = ", ".join((*KEYS[1:], *dimensions))
    given = con.sql(f"select n from (select n, max(published) over (partition by {row}) as m from t) where m > 0")
    return table.take(pa.array(np.sort(given.fetchnumpy()["n"])))


def truth(true):
    """All counts there are, as the scorer gets them."""
    return Figures.from_table(true.drop(["key_sum", "true"]).append_column("published", true["true"]))


def attacked(true, secret, deviation=None, **declared):
    """Figures of a release, its relations, and the true count of each cell."""
    deviation = deviation or Deviation()
    figures = Figures.from_table(release(true, drawn(true, secret, deviation)))
    system = relations_of(figures, Declared("stockholm", **declared), deviation)
    return figures, system, system.cells.true_of(truth(true))


def figure(measure, unit, period, published, *, is_exact=False, is_capped=False, basis=None, release=0, **cut):
    """One row of figures by hand; a period is `2018Q1` or `2018` or `~2018Q4` (four quarters)."""
    kind = "rullande_ar" if period[0] == "~" else "kvartal" if "Q" in period else "ar"
    row = {"measure": measure, "unit": unit, "basis": basis or "as_submitted", "period_kind": kind}
    row |= {"period": period.strip("~"), "published": published, "is_exact": is_exact, "is_capped": is_capped}
    return row | {"release": release} | {name: cut.get(name, "alla") for name in (*DIMENSIONS, "reason_side")}


def exact(*row, **cut):
    """The same with the true count."""
    return figure(*row, is_exact=True, **cut)


def interval(rows, wanted, known=(), **declared):
    """The bounds that follow of one cell, by relations and by linear programs."""
    figures = Figures.from_table(pa.Table.from_pylist(rows))
    system = relations_of(figures, Declared("stockholm", **declared), Deviation())
    codes = np.array([[figures.code(column, name) for column, name in zip(figures.columns, wanted, strict=True)]])
    cell = system.cells.find(codes.astype(np.int16))
    mine = {int(system.cells.cell_of_row[row]): count for row, count in known}
    limits = spread(system, mine)
    found = bound(system, limits, cell, most_relations=500)
    assert found.undecided == 0
    assert limits[0][cell[0]] <= found.low[0] <= found.high[0] <= limits[1][cell[0]]
    return int(found.low[0]), int(found.high[0])


def cell(measure, unit, period, *, basis="as_submitted", release="0", **cut):
    """The coordinates of a cell in the order of figures."""
    kind = "rullande_ar" if period[0] == "~" else "kvartal" if "Q" in period else "ar"
    period = f"{kind}:{period.strip('~')}"
    return measure, unit, basis, period, release, *(cut.get(name, "alla") for name in (*DIMENSIONS, "reason_side"))
