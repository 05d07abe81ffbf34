"""Pages of figures as they are made: once for each release and choice, for as many readers as come."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from fastapi import FastAPI

from ingest.settings import Settings
from portal.figures.choices import Asked, district_choice
from portal.figures.drawing import Scheme, Width, svg
from portal.figures.released import Release, Releases
from portal.figures.sections import Content, with_breaks
from portal.figures.topics.district import BASES
from portal.figures.topics.listed import TOPICS, Topic

T = TypeVar("T")
_PAGES = 128
_CHARTS = 512
_GUARD = threading.Lock()


class Remembered(Generic[T]):
    """What was made last, by key: at most so many; one is made at a time, and what others wait for is made once."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: OrderedDict[Hashable, T] = OrderedDict()
        self._lock = threading.Lock()
        self._making = threading.Lock()

    def __len__(self) -> int:
        return len(self._found)

    def of(self, key: Hashable, make: Callable[[], T]) -> T:
        """What was made for a key, or what is made now. What raises is not remembered."""
        found = self._get(key)
        if found is not None:
            return found
        with self._making:
            found = self._get(key)
            if found is None:
                found = make()
                with self._lock:
                    self._found[key] = found
                    while len(self._found) > self._most:
                        self._found.popitem(last=False)
        return found

    def _get(self, key: Hashable) -> T | None:
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key]


@dataclass(frozen=True)
class Card:
    """A question on the overview: address, title, and what its page says first."""

    slug: str
    title: str
    lead: str


class Figures:
    """All that the pages of figures are made of, in one process.

    Args:
        settings: the installation's.
    """

    def __init__(self, settings: Settings) -> None:
        self.releases = Releases(settings)
        self._contents: Remembered[Content] = Remembered(_PAGES)
        self._bodies: Remembered[str] = Remembered(_PAGES)
        self._charts: Remembered[bytes] = Remembered(_CHARTS)

    def content(self, release: Release, topic: Topic, values: Mapping[str, str]) -> Content:
        """What a page says.

        Raises:
            NotThere: a value is not in the release.
            duckdb.Error: the release can't be read.
        """
        key = (release.folder, topic.slug, *sorted(values.items()))
        return self._contents.of(key, lambda: with_breaks(topic.build(Asked(release, values)), release.series_breaks))

    def body(self, release: Release, topic: Topic, values: Mapping[str, str], make: Callable[[Content], str]) -> str:
        """The part of a page that is the same for every reader."""
        content = self.content(release, topic, values)
        return self._bodies.of((release.folder, topic.slug, *sorted(values.items())), lambda: make(content))

    def chart(
        self, release: Release, topic: Topic, values: Mapping[str, str], key: str, width: Width, scheme: Scheme
    ) -> bytes | None:
        """A section's chart; None where there is no such section, or nothing to draw."""
        content = self.content(release, topic, values)
        picture = next((one.picture for one in content.sections if one.key == key), None)
        if picture is None:
            return None
        of = (release.folder, topic.slug, *sorted(values.items()), key, width, scheme)
        return self._charts.of(of, lambda: svg(picture, width, scheme).encode())

    def cards(self, release: Release) -> list[Card]:
        """What the overview says of every question."""
        return [Card(one.slug, one.title, self.content(release, one, {}).lead) for one in TOPICS]

    def districts(self, release: Release) -> list[tuple[str, str]]:
        """Code and label of each district that has a page."""
        options = district_choice(Asked(release, {}), BASES).options
        return [(one.value, one.label) for one in options if one.value]


def figures_at(app: FastAPI) -> Figures:
    """The figures of a portal's application: one object per process."""
    with _GUARD:
        if not hasattr(app.state, "figures"):
            app.state.figures = Figures(app.state.portal.settings)
    found = app.state.figures
    assert isinstance(found, Figures)
    return found


def topic_of(slug: str) -> Topic | None:
    """A page by its name in the address."""
    return next((one for one in TOPICS if one.slug == slug), None)
