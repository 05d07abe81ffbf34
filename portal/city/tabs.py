"""The rows of tabs on the city's pages."""

from __future__ import annotations

from ingest.quarters import Quarter


def of_quarter(quarter: Quarter, current: str) -> list[tuple[str, str, bool]]:
    """(address, label, whether it is shown): the pages about one quarter."""
    pages = [
        ("wall", f"/staden?kvartal={quarter}", "Läget"),
        ("reminder", f"/staden/paminnelse?kvartal={quarter}", "Påminnelser"),
        ("completeness", f"/staden/kvartal/{quarter}/fullstandighet", "Fullständighet"),
        ("explanations", f"/staden/forklaringar?kvartal={quarter}", "Förklaringar"),
        ("exceptions", f"/staden/undantag?kvartal={quarter}", "Undantag"),
        ("names", "/staden/namn", "Namn på insatser"),
    ]
    return [(address, label, key == current) for key, address, label in pages]


def of_releases(current: str) -> list[tuple[str, str, bool]]:
    """(address, label, whether it is shown): the pages about what is built and published."""
    pages = [("releases", "/staden/publiceringar", "Publiceringar"), ("builds", "/staden/byggen", "Byggen")]
    return [(address, label, key == current) for key, address, label in pages]
