"""The readers' site in a browser: axe finds nothing, nothing is fetched, a phone shows all. `make test-bi` runs it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import duckdb
import pytest
from superset_server import ENVIRONMENT

from ingest.settings import ROOT
from publish.catalogue.manifest import Manifest
from publish.catalogue.site import Issued
from publish.catalogue.write import write_site
from publish.release.certificate import Certificate, Finding, TableShown, page
from publish.views.declared import load_views
from tests.publish.views_drawn import NOTICE, draw

CERTIFICATE = Certificate(
    release_id=7, made_at="2019-05-01", until_quarter="2019Q4", notice=NOTICE, how_to_read="Läs så.", not_there="Inte.",
    tables=(TableShown("mart_case_flow", 1_000, 10, 2),), figures=1_000, js=4, greatest_deviation=7, variance=2,
    too_few=20, ptable=((0, 0, 1.0), (1, 0, 0.8), (1, 5, 0.2)), drawn_for_the_first_time=1, drawn_anew=0, held=0,
    revised_periods=(), new_periods=("2019Q4",), attacked=10, seed=1, findings=(Finding("Kända exakt", "0 (gräns 0)"),),
    breaches=(), passed=True,
)  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with every kind of page, and the certificate beside."""
    root = tmp_path_factory.mktemp("site")
    path = draw(root / "release.duckdb", load_views()).path
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "use published; create table mart_case_flow (reporting_quarter varchar, reason_code varchar, cases int);"
            "insert into mart_case_flow values ('2018Q1', 'vald', 12);"
            "create table dim_district (district_code varchar primary key, district_label varchar, "
            "successor_code varchar, valid_from date, valid_to date);"
            "create table mart_youth_clinic as select '2018Q1' as reporting_quarter, 12 as visits;"
            "create table dim_reason (reason_code varchar primary key, reason_label varchar);"
            "insert into dim_reason values ('foralders_psykiska_funktionsnedsattning', 'Funktionsnedsättningsärende');"
            "insert into dim_district values ('a', 'Älvsjö', 'ny', '2007-01-01', '2020-06-30'), "
            "('ny', 'Nya', null, '2020-07-01', null)"
        )
    issued = (Issued(7, "", "2019Q4", True, (), ("2018Q2",)), Issued(6, "2019-02-01", "2019Q3", False, ("2019Q3",), ()))
    write_site(path, Manifest(tables=(), exposures=()), root / "webb", issued=issued, has_files=True)
    (root / "certificate.html").write_text(page(CERTIFICATE), encoding="utf-8")
    return root


def test_no_page_has_a_fault_on_a_phone_or_a_screen_in_light_or_dark(site: Path) -> None:
    if not (shutil.which("chromium") or shutil.which("google-chrome")):
        pytest.skip("there is no Chromium here: sudo apt-get install chromium")
    pages = [str(path.relative_to(site)) for path in sorted(site.rglob("*.html"))]
    assert len(pages) == 5 + len({view.base for view in load_views()}) + 5 + 1
    done = subprocess.run(
        [ENVIRONMENT / "bin" / "python", ROOT / "bi" / "superset" / "accessible.py", site],
        input="\n".join(pages), text=True, check=True, capture_output=True, timeout=900,
    )  # fmt: skip
    assert json.loads(done.stdout) == []
