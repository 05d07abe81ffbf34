"""Pages in the words of the organisation."""

from __future__ import annotations

from pathlib import Path

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
