"""Views and dimension tables of a release of the small city, beside queries of its marts that were written by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator

import duckdb
import pytest
from marts_drawn import draw_marts

from publish.marts.declared import load_marts
from publish.marts.dimensions import load_dimensions, references_of_codes
from publish.policy import load_policy
from publish.release.approving import Release
from publish.serving import read_release
from publish.views.declared import CITY, NULLABLE, View, ViewColumn, load_views

NAMES = {"clinic"}
"""Columns of marts whose values are names that a reader understands."""
QUESTIONS = {
    "over 60 days by district with intervals, last year": (
        "select stadsdel, andel_over_60_dagar, andel_over_60_dagar_lag, andel_over_60_dagar_hog, "
        "staden_andel_over_60_dagar from published.vy_fyra_mal_ar where period = '2019'",
        "select n.district_label, round(1 - m.rate, 12), round(1 - m.rate_high, 12), round(1 - m.rate_low, 12), "
        "(select round(1 - c.rate, 12) from published.mart_goal_indicators as c where c.district_code = 'stockholm' "
        "and c.district_basis = 'today' and c.period_kind = 'ar' and c.period = '2019' "
        "and c.indicator_code = 'within_60_days_rate' and c.cut = 'total') "
        "from published.mart_goal_indicators as m join published.dim_district as n using (district_code) "
        "where m.district_basis = 'today' and m.district_code <> 'stockholm' and m.period_kind = 'ar' "
        "and m.period = '2019' and m.indicator_code = 'within_60_days_rate' and m.cut = 'total'",
    ),
    "råd- och stödsamtal by district and sex": (
        "select stadsdel, kon, paborjade from published.vy_insatser_ar "
        "where period = '2019' and insats = 'Råd- och stödsamtal'",
        "select n.district_label, case m.sex when 'kvinna' then 'Kvinna' when 'man' then 'Man' end, m.started "
        "from published.mart_service_interventions as m join published.dim_district as n using (district_code) "
        "where m.district_basis = 'today' and m.district_code <> 'stockholm' and m.period_kind = 'ar' "
        "and m.period = '2019' and m.intervention_code = 'rad_och_stod' and m.sex <> 'alla' and m.age_band = 'alla' "
        "and m.target_group = 'alla' and m.referred_from = 'alla' and m.legal_ground = 'alla'",
    ),
    "assessed against service waits": (
        "select stadsdel, vantan_pa, medel_dagar, staden_medel_dagar from published.vy_vantetider_ar "
        "where period = '2019' and vantan_pa in ('Serviceinsats', 'Biståndsbedömd öppenvård')",
        "select n.district_label, case m.wait_kind when 'service' then 'Serviceinsats' else 'Biståndsbedömd öppenvård' "
        "end, m.wait_mean_days, c.wait_mean_days from published.mart_waiting_times as m "
        "join published.dim_district as n using (district_code) join published.mart_waiting_times as c "
        "on c.district_code = 'stockholm' and c.district_basis = 'today' and c.wait_kind = m.wait_kind "
        "and c.period_kind = 'ar' and c.period = '2019' and c.intervention_code = 'alla' "
        "and c.intervention_category = 'alla' where m.district_basis = 'today' and m.district_code <> 'stockholm' "
        "and m.wait_kind in ('service', 'assessed') and m.period_kind = 'ar' and m.period = '2019' "
        "and m.intervention_code = 'alla' and m.intervention_category = 'alla'",
    ),
    "who offers Trappan": (
        "select stadsdel, som_service, som_bistand, regi, sprak from published.vy_utbud "
        "where period = '2019 kv 4' and insats = 'Trappan' and erbjuds",
        "select n.district_label, coalesce((select is_offered from published.mart_supply as f where "
        "f.district_code = m.district_code and f.district_basis = 'today' and f.period_kind = 'kvartal' and "
        "f.period = '2019Q4' and f.intervention_code = 'trappan' and f.form = 'service' and f.directed_at = 'alla'), "
        "false), coalesce((select is_offered from published.mart_supply as f where "
        "f.district_code = m.district_code and f.district_basis = 'today' and f.period_kind = 'kvartal' and "
        "f.period = '2019Q4' and f.intervention_code = 'trappan' and f.form = 'bistand' and f.directed_at = 'alla'), "
        "false), 'Egen regi, Upphandlad', 'Engelska, Svenska' from published.mart_supply as m "
        "join published.dim_district as n using (district_code) where m.district_basis = 'today' "
        "and m.district_code <> 'stockholm' and m.period_kind = 'kvartal' and m.period = '2019Q4' "
        "and m.intervention_code = 'trappan' and m.form = 'alla' and m.directed_at = 'alla' and m.is_offered",
    ),
    "which groups fill worst, and where free places are": (
        "select stadsdel, insats, andel_fyllda, lediga_platser from published.vy_grupper where period = '2019 kv 4'",
        "with free as (select seats_district_code as district_code, intervention_code, max(seats_free) as seats "
        "from published.mart_vacancies where district_basis = 'today' and period = '2019Q4' "
        "and period_kind = 'kvartal' and seats_district_code <> 'alla' group by all), "
        "filled as (select district_code, intervention_code, fill_rate from published.mart_recruitment "
        "where district_basis = 'today' and district_code <> 'stockholm' and period_kind = 'kvartal' "
        "and period = '2019Q4' and cohort_basis = 'startad' and intervention_code <> 'alla') "
        "select n.district_label, if(intervention_code = 'trappan', 'Trappan', 'Råd- och stödsamtal'), fill_rate, "
        "coalesce(seats, 0) from filled full join free using (district_code, intervention_code) "
        "join published.dim_district as n using (district_code)",
    ),
    "re-referral by heard or not": (
        "select stadsdel, barnet_hort, andel_ater_ett_ar, andel_ater_ett_ar_lag, andel_ater_ett_ar_hog "
        "from published.vy_ateraktualisering_ar where period = '2018'",
        "select n.district_label, case m.child_heard_answer when 'ja' then 'Ja' else 'Nej' end, "
        "m.re_referral_rate_365, m.re_referral_rate_365_low, m.re_referral_rate_365_high "
        "from published.mart_re_referral as m join published.dim_district as n using (district_code) "
        "where m.district_basis = 'today' and m.district_code <> 'stockholm' and m.period_kind = 'ar' "
        "and m.period = '2018' and m.cut = 'child_heard_answer'",
    ),
    "who lies outside the funnel": (
        "select stadsdel, matt, saker_skillnad from published.vy_likstallighet where period = '2019' and utanfor",
        "select n.district_label, d.measure_label, m.funnel_position <> 'inom' from published.mart_equity as m "
        "join published.dim_district as n using (district_code) join published.dim_measure as d using (measure) "
        "where m.district_basis = 'today' and m.district_code <> 'stockholm' and m.period_kind = 'ar' "
        "and m.period = '2019' and (m.value < m.outer_funnel_low or m.value > m.outer_funnel_high)",
    ),
    "girls and boys among offers by age and quarter": (
        "select distinct period, alder, kon, staden_erbjudna_insats from published.vy_erbjudna_kon_alder",
        "select p.period_label, case m.age_band when '6-12' then '6–12 år' else '13–17 år' end, "
        "case m.sex when 'kvinna' then 'Kvinna' else 'Man' end, m.offered from published.mart_case_flow as m "
        "join published.dim_period as p using (period_kind, period) where m.district_basis = 'today' "
        "and m.district_code = 'stockholm' and m.period_kind = 'kvartal' and m.cohort_basis = 'avslutad' "
        "and m.cut = 'age_band+sex'",
    ),
}
"""What the city asks: one select on one view, and a query of the marts that was written by hand."""
SUMS = {
    "sum(inkomna_arenden) from published.vy_arendeflode": "sum(cases) from published.mart_case_flow where "
    "cohort_basis = 'inkommen' and cut = 'total' and period_kind = 'kvartal'",
    "sum(inkomna_arenden) from published.vy_arendeflode_ar": "sum(cases) from published.mart_case_flow where "
    "cohort_basis = 'inkommen' and cut = 'total' and period_kind = 'ar'",
    "sum(paborjade) from published.vy_insatser": "sum(started) from published.mart_service_interventions where "
    "cut = 'intervention_code+sex' and period_kind = 'kvartal'",
    "sum(besok) from published.vy_ungdomsmottagning": "sum(visits) from published.mart_youth_clinic where "
    "cut = 'clinic_age_band+sex' and period_kind = 'kvartal'",
    "sum(deltagare) from published.vy_grupper": "sum(participants) from published.mart_recruitment where "
    "cut = 'intervention_code' and cohort_basis = 'startad' and period_kind = 'kvartal'",
    "sum(ko) from published.vy_lediga_platser": "sum(queue) from published.mart_vacancies where "
    "cut = 'intervention_code' and period_kind = 'kvartal'",
    "sum(filer_i_kraft) from published.vy_inlamning": "sum(files_in_force) from published.mart_submission_status where "
    "cut = 'dataset' and period_kind = 'kvartal'",
}
"""Sums of a whole view without any condition, and what they are of the marts."""
VIEWS = pytest.mark.parametrize("view", load_views(), ids=lambda view: view.name)


@pytest.fixture(scope="module")
def shown(released: Release) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file that readers open."""
    assert released.served is not None
    with duckdb.connect(str(released.served.duckdb_file), read_only=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def drawn(released: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The same tables with drawn figures, enough for rates and years."""
    assert released.served is not None
    path = tmp_path_factory.mktemp("drawn") / "drawn.duckdb"
    with duckdb.connect(str(draw_marts(released.served.duckdb_file.resolve(), path)), read_only=True) as connection:
        yield connection


def rows(shown: duckdb.DuckDBPyConnection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in shown.execute(query).fetchall()]


def texts(shown: duckdb.DuckDBPyConnection, prefix: str) -> list[tuple[str, str]]:
    found = rows(
        shown,
        "select table_name, column_name from duckdb_columns() "
        f"where data_type = 'VARCHAR' and starts_with(table_name, '{prefix}') order by all",
    )
    return [(str(table), str(column)) for table, column in found]


def test_every_code_of_every_mart_has_its_row_and_a_label_that_is_another_word(
    shown: duckdb.DuckDBPyConnection,
) -> None:
    kinds, lost, seen = load_dimensions(), [], set()
    for table, column in texts(shown, "mart_"):
        to = [one.table for one in references_of_codes((column,)) if one.table in kinds]
        to += [name for name, kind in kinds.items() if column in kind.lists]
        if column in NAMES | {"period", "reporting_quarter"} or column.endswith(("_label", "_counted_quarter")):
            assert column in NAMES or not to
            continue
        (name,) = to
        kind, seen = kinds[name], {*seen, name}
        code = f"unnest(string_split({column}, '|'))" if column in kind.lists else column
        lost += rows(
            shown,
            f"select distinct '{table}', '{column}', c, {kind.label} from (select {code} as c from published.{table}) "
            f"left join published.{name} on c = {kind.key} "
            f"where c <> '' and ({kind.label} is null or {kind.label} = c or {kind.label} = '')",
        )
    assert lost == []
    assert {"dim_sex", "dim_cut", "dim_language", "dim_provider", "dim_measure", "dim_history"} <= seen


@pytest.mark.parametrize("name", load_dimensions())
def test_a_dimension_table_has_labels_and_an_order_for_what_is_declared(
    shown: duckdb.DuckDBPyConnection, name: str
) -> None:
    kind = load_dimensions()[name]
    found = rows(shown, f"select {kind.key}, {kind.label}, sort_order from published.{name} order by sort_order")
    codes, labels, order = zip(*found, strict=True)
    assert set(kind.known()) <= set(codes)
    assert (("alla" in codes), codes[0] == "alla") == (kind.total, kind.total)
    assert list(order) == list(range(len(codes)))
    assert len(set(labels)) == len(labels)
    assert [code for code, label in zip(codes, labels, strict=True) if code == label or not label] == []


def test_every_reference_finds_its_row(released: Release) -> None:
    assert released.served is not None
    release = read_release(released.served.duckdb_file.resolve())
    tables = {table.name: table for table in release.tables}
    lost = []
    with release.reading() as connection:
        for table in release.tables:
            for one in table.references:
                on = " and ".join(
                    f"a.{column} = b.{other}" for column, other in zip(one.columns, one.table_columns, strict=True)
                )
                lost += connection.execute(
                    f"select '{table.name}', '{one.columns[-1]}' from release.published.{table.name} as a "
                    f"left join release.published.{one.table} as b on {on} "
                    f"where a.{one.columns[-1]} is not null and b.{one.table_columns[0]} is null limit 1"
                ).fetchall()
    assert lost == []
    referred = {one.table for table in release.tables for one in table.references}
    assert {"dim_period", "dim_district", "dim_quarter"} <= referred
    assert {one.columns for one in tables["mart_vacancies"].references} >= {
        ("seats_district_code",), ("district_code",), ("period_kind", "period")
    }  # fmt: skip
    assert {one.columns for one in tables["vy_insatser"].references} == {
        ("stadsdel",), ("periodtyp",), ("period",), ("insatskategori",), ("insats",), ("kon",)
    }  # fmt: skip


@VIEWS
def test_a_view_is_a_table_described_in_swedish_whose_query_answers(
    shown: duckdb.DuckDBPyConnection, view: View
) -> None:
    columns = rows(shown, f"select column_name, comment from duckdb_columns() where table_name = '{view.name}'")
    assert columns == [(column.name, f"{column.label}: {column.explanation}") for column in view.columns]
    ((comment,),) = rows(shown, f"select comment from duckdb_tables() where table_name = '{view.name}'")
    assert view.question in str(comment) and view.traps in str(comment)
    key = ", ".join(view.key)
    assert rows(shown, f"select {key} from published.{view.name} group by {key} having count(*) > 1") == []
    assert f"published.{view.name}" in view.query and shown.execute(view.query).description
    kinds = {row[0] for row in rows(shown, f"select distinct periodtyp from published.{view.name}")}
    assert kinds <= {{"kvartal": "Kvartal", "ar": "Kalenderår", "rullande_ar": "Rullande år"}[view.period_kind]}


@pytest.mark.parametrize("question", QUESTIONS)
def test_one_select_answers_what_the_city_asks(drawn: duckdb.DuckDBPyConnection, question: str) -> None:
    asked, by_hand = QUESTIONS[question]
    answer = rows(drawn, asked)
    assert answer and sorted(map(repr, answer)) == sorted(map(repr, rows(drawn, by_hand)))


@pytest.mark.parametrize("asked", SUMS)
def test_a_sum_without_conditions_counts_nothing_twice(drawn: duckdb.DuckDBPyConnection, asked: str) -> None:
    districts = " and district_basis = 'today' and district_code <> 'stockholm'"
    assert rows(drawn, f"select {asked}") == rows(drawn, f"select {SUMS[asked]}{districts}") != [(None,)]


@VIEWS
def test_a_view_of_drawn_figures_has_rows_and_answers(drawn: duckdb.DuckDBPyConnection, view: View) -> None:
    assert rows(drawn, f"select 1 from published.{view.name} limit 1")
    assert rows(drawn, view.query)
    key = ", ".join(view.key)
    assert rows(drawn, f"select {key} from published.{view.name} group by {key} having count(*) > 1") == []


def test_a_view_has_its_rows_in_one_order_however_they_are_made(drawn: duckdb.DuckDBPyConnection) -> None:
    """So that the same figures are the same bytes: numbers of threads, and of rows at a time, must not show."""
    differing = []
    for view in load_views():
        stored = rows(drawn, f"from published.{view.name}")
        for threads in (1, 4):
            drawn.execute(f"set threads = {threads}")
            differing += [(view.name, threads)] if rows(drawn, view.sql) != stored else []
    assert differing == []


@VIEWS
def test_a_view_has_no_totals_among_its_parts_and_no_bare_code(shown: duckdb.DuckDBPyConnection, view: View) -> None:
    for column in view.columns:
        if column.kind == "text":
            found = {str(row[0]) for row in rows(shown, f"select distinct {column.name} from published.{view.name}")}
            assert found.isdisjoint({"Alla", "alla", "Stockholms stad", "stockholm"}), column.name
            assert [one for one in found if "_" in one] == [], column.name


def reasons(view: View, column: ViewColumn) -> str:
    """When a value may be missing, in SQL: as the view's own columns and its declaration say."""
    names = {one.name for one in view.columns}
    said = ["false", *(flag for flag in ("for_fa", "vantar_pa_tid") if flag in names)]
    said += [f"coalesce({column.absent_when}, false)"] if column.absent_when else []
    said += ["not alla_stadsdelar"] if column.name.startswith(CITY) and "alla_stadsdelar" in names else []
    return " or ".join(said)


@VIEWS
@pytest.mark.parametrize("release", ["shown", "drawn"])
def test_a_value_is_missing_only_where_a_column_says_why(
    request: pytest.FixtureRequest, release: str, view: View
) -> None:
    connection = request.getfixturevalue(release)
    missing = {
        column.name: rows(connection, f"select * from published.{view.name} where {column.name} is null "
                                      f"and not ({reasons(view, column)}) limit 1")
        for column in view.columns
    }  # fmt: skip
    assert {name: found for name, found in missing.items() if found} == {}


@VIEWS
@pytest.mark.parametrize("release", ["shown", "drawn"])
def test_too_few_is_said_only_where_something_is_missing_for_that(
    request: pytest.FixtureRequest, release: str, view: View
) -> None:
    lacking = [
        f"({column.name} is null and not coalesce({column.absent_when or 'false'}, false))"
        for column in view.columns
        if column.kind in NULLABLE
    ]
    if "for_fa" in {column.name for column in view.columns}:
        false = f"select * from published.{view.name} where for_fa and not ({' or '.join(lacking)}) limit 1"
        assert rows(request.getfixturevalue(release), false) == []


def test_a_district_outside_the_limits_that_are_shown_is_said_to_be_outside(drawn: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        drawn,
        "select stadsdel, varde, inre_grans_hog, yttre_grans_hog, lage, utanfor, saker_skillnad "
        "from published.vy_likstallighet where period = '2019' and matt like 'Medelväntetid till serviceinsats%' "
        "order by varde",
    )
    assert [row[1:] for row in found] == [
        (12, 24, 30, "Inom de inre gränserna", False, False),
        (28, 24, 30, "Över de inre men inom de yttre gränserna", False, False),
        (34, 24, 30, "Över de yttre gränserna", True, True),
    ]
    outside = "varde < yttre_grans_lag or varde > yttre_grans_hog"
    for name in ("vy_likstallighet", "vy_likstallighet_rullande_ar"):
        wrong = f"select * from published.{name} where utanfor <> coalesce({outside}, false) limit 1"
        assert rows(drawn, wrong) == []


def test_groups_that_are_not_published_yet_are_no_zeros(drawn: duckdb.DuckDBPyConnection) -> None:
    asked = (
        "select count(*), count(startade_grupper), bool_and(vantar_pa_tid), bool_or(for_fa), bool_or(alla_stadsdelar) "
        "from published.vy_grupper where period = '2019 kv 3' and stadsdel {} 'Farsta'"
    )
    waiting, there = rows(drawn, asked.format("<>"))[0], rows(drawn, asked.format("="))[0]
    assert waiting[0] and waiting[1:] == (0, True, False, False)
    assert there[0] == there[1] and (there[2], there[4]) == (False, False)
    # where the whole city is there, no group started is a zero, for which nothing is too few
    zero = "select distinct startade_grupper, andel_fyllda, for_fa, vantar_pa_tid from published.vy_grupper "
    assert (
        rows(drawn, zero + "where period = '2018 kv 4' and stadsdel = 'Järva' and startade_grupper = 0")[0][3] is False
    )


def test_a_quarter_that_lacks_districts_says_so(drawn: duckdb.DuckDBPyConnection) -> None:
    found = rows(drawn, "select period, bool_and(alla_stadsdelar) from published.vy_stodgrupper group by all")
    assert {row[0]: row[1] for row in found} == {
        f"{year} kv {one}": (year, one) != (2019, 4) for year in (2018, 2019) for one in (1, 2, 3, 4)
    }
    districts = {view.base for view in load_views() if "stadsdel" in {column.name for column in view.columns}}
    saying = {view.base for view in load_views() if "alla_stadsdelar" in {column.name for column in view.columns}}
    assert districts - saying == {"vy_likstallighet", "vy_inlamning"}


def test_a_capped_share_says_that_it_is_at_least_so_large(drawn: duckdb.DuckDBPyConnection) -> None:
    found = rows(
        drawn,
        "select stadsdel = 'Farsta' and insats = 'Råd- och stödsamtal', bool_and(minst_sa_stor), "
        "bool_and(andel_fullfoljda = 0.75) from published.vy_insatser where minst_sa_stor group by all",
    )
    assert found == [(True, True, True)]
    said = f"{load_policy().cell_keys.all_of_n_percent} procent"
    (view,) = (one for one in load_views() if one.name == "vy_insatser")
    (column,) = (one for one in view.columns if one.name == "minst_sa_stor")
    assert said in column.explanation and said in view.traps


def test_nobody_is_counted_as_having_waited_long_where_bands_are_not_counted(drawn: duckdb.DuckDBPyConnection) -> None:
    found = rows(drawn, "select vantan_pa, count(over_90_dagar) > 0 from published.vy_vantetider group by all")
    assert {kind for kind, is_counted in found if not is_counted} == {"Föräldrautbildning i grupp"}


def test_the_share_that_accepted_is_the_same_in_every_view(drawn: duckdb.DuckDBPyConnection) -> None:
    complete = "is_cohort_complete and district_basis = 'today' and cut = 'total' and cohort_basis = 'avslutad'"
    by_hand = rows(
        drawn,
        "select n.district_label, p.period_label, acceptance_rate from published.mart_case_flow as m "
        "join published.dim_district as n using (district_code) "
        "join published.dim_period as p using (period_kind, period) "
        f"where {complete} and district_code <> 'stockholm' and period_kind = 'kvartal' "
        "and acceptance_rate is not null",
    )
    shown = rows(
        drawn,
        "select stadsdel, period, andel_tackat_ja from published.vy_arendeflode where andel_tackat_ja is not null",
    )
    assert by_hand and sorted(map(repr, by_hand)) == sorted(map(repr, shown))


def test_ages_and_measures_of_ages_come_in_their_order(shown: duckdb.DuckDBPyConnection) -> None:
    for view in load_views():
        if "alder" in {column.name for column in view.columns}:
            asked = f"select distinct alder_ordning, alder from published.{view.name} order by 1"
            ages = [str(row[1]) for row in rows(shown, asked)]
            firsts = [int(age.split("–")[0]) for age in ages if age[0].isdigit()]
            assert firsts == sorted(firsts)
    measures = rows(shown, "select measure from published.dim_measure order by sort_order")
    by_age = [str(row[0]).removeprefix("participants_per_1000_") for row in measures if "_1000_" in str(row[0])]
    assert by_age == [age for age in ("0_5", "6_12", "13_17", "18_20") if age in by_age]


def test_views_come_in_the_order_of_a_reader_and_say_their_release(shown: duckdb.DuckDBPyConnection) -> None:
    bases = list(dict.fromkeys(view.base for view in load_views()))
    assert bases[:3] == ["vy_staden", "vy_arendeflode", "vy_fyra_mal"] and bases[-1] == "vy_inlamning"
    assert [view.base for view in load_views()] == sorted((v.base for v in load_views()), key=bases.index)
    ((number,),) = rows(shown, "select value::integer from published.about where key = 'release_id'")
    for view in load_views():
        assert view.columns[-1].name == "utgava"
        assert rows(shown, f"select distinct utgava from published.{view.name}") in ([(number,)], []), view.name


def test_what_is_followed_up_in_90_days_waits_in_the_newest_quarter(drawn: duckdb.DuckDBPyConnection) -> None:
    drawn_rates = "select follow_up_rate is null from published.mart_outpatient_care where district_basis = 'today' "
    drawn_rates += "and cut = 'total' and district_code = 'farsta' and period_kind = 'kvartal' order by period"
    missing = [row[0] for row in rows(drawn, drawn_rates)]
    found = rows(
        drawn,
        "select vantar_pa_tid, avslutade_insatser is null, uppfoljda is null from published.vy_uppfoljning "
        "where stadsdel = 'Farsta' and insatsform = 'Bistånd' order by period",
    )
    newest = len(found) - 1
    assert found == [(at == newest and lacks,) * 3 for at, lacks in enumerate(missing)]
    assert rows(drawn, "select distinct vantar_pa_tid from published.vy_uppfoljning where insatsform = 'Service'") == [
        (False,)
    ]


WORDS = ("dagens indelning", "så många", "accepter", "tillbaka inom", "summerar till 100")


@VIEWS
def test_views_say_one_thing_with_one_word(view: View) -> None:
    said = [view.comment, *(f"{one.label}. {one.explanation}" for one in view.columns)]
    assert [word for word in WORDS for text in said if word in text.lower()] == []
    assert [column.name for column in view.columns if column.name.startswith(CITY) and column.kind == "count"] == []


def test_every_mart_is_in_a_view() -> None:
    assert {source for view in load_views() for source in view.sources} == set(load_marts())


@VIEWS
def test_a_condition_on_what_readers_see_is_never_tried_on_codes(view: View) -> None:
    """`vantan_pa like '%öräldrautbildning%'` is of the label; inside the view the column of that name has a code."""
    coded = {column.name for column in view.columns if column.dimension is not None}
    conditions = {column.absent_when for column in view.columns if column.absent_when}
    of_labels = {one for one in conditions if any(re.search(rf"\b{name}\b", one) for name in coded)}
    assert [one for one in of_labels if one in view.sql] == []
    if view.base == "vy_vantetider":
        assert "of_vantan_pa.wait_kind_label like '%öräldrautbildning%'" in view.sql
