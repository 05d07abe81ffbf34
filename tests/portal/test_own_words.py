"""Pages in the words of the organisation."""

from __future__ import annotations

import os
from pathlib import Path

import forked
import pytest

from ingest.settings import ORGANISATION
from portal.pages.own_words import page_in_own_words
from synthetic.country.writing import write_country


@pytest.fixture
def country(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ORGANISATION, str(write_country(tmp_path, 3)))


@pytest.mark.parametrize(
    ("ours", "own"),
    [
        ("<p>Hela staden</p>", "<p>Hela riket</p>"),
        ("<p>Fråga stadens team.</p>", "<p>Fråga uppföljningsenheten.</p>"),
        ('<a class="stadsdel" href="/siffror/stadsdel/a?stadsdel=b">En stadsdel</a>',
         '<a class="stadsdel" href="/siffror/stadsdel/a?stadsdel=b">En kommun</a>'),
        ('<svg aria-label="Stadsdelarna"></svg>', '<svg aria-label="Kommunerna"></svg>'),
        ("<script>stadsdel</script><style>.staden{}</style>", "<script>stadsdel</script><style>.staden{}</style>"),
        ('{{ message("warning", "Stadens team vet.") }}', '{{ message("warning", "Uppföljningsenheten vet.") }}'),
        ('{{ row["stadsdel"] }}{# staden #}', '{{ row["stadsdel"] }}{# staden #}'),
        ("<td>3 &lt; 4 i staden</td>", "<td>3 &lt; 4 i riket</td>"),
    ],
)  # fmt: skip
def test_texts_are_in_its_words_and_names_are_not(country: None, ours: str, own: str) -> None:
    assert page_in_own_words(ours) == own


def test_without_words_of_its_own_a_page_is_as_it_was() -> None:
    assert page_in_own_words("<p>Hela staden</p>") == "<p>Hela staden</p>"


def test_a_portal_without_an_organisation_says_so_and_ends(tmp_path: Path) -> None:
    """Else every worker would fail, and be started again for ever."""
    places = {"HOME": "home", "KEYS": "keys.json", "INBOX": "inbox", "ORGANISATION": "none"}
    environment = os.environ | {f"FOLLOWUP_{name}": str(tmp_path / place) for name, place in places.items()}
    environment |= {"FOLLOWUP_PORTAL_URL": "http://127.0.0.1:8090"}
    done = forked.run("from portal.__main__ import main; main()", environment=environment)
    assert done.returncode == 1
    assert "organisation.toml: can't be read" in done.stderr and "FOLLOWUP_ORGANISATION" in done.stderr
    assert "Traceback" not in done.stderr
