"""Numbers, dates and names as people read them in Swedish: on the portal's pages, in letters and in reports."""

from __future__ import annotations

from datetime import UTC, date, datetime

from ingest.contracts import load_contracts
from ingest.districts import load_districts
from ingest.settings import CITY_TIME

NO_BREAK = "\u00a0"
_MONTHS = (
    "januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober", "november",
    "december",
)  # fmt: skip


def number(value: float | int | None, decimals: int = 0) -> str:
    """A number as Swedish writes it: `1 234,5` with no-break spaces; `–` for none."""
    if value is None:
        return "–"
    return f"{value:,.{decimals}f}".replace(",", NO_BREAK).replace(".", ",").replace("-", "−")


def day(value: date | datetime | None) -> str:
    """`9 april 2018`; of a moment, stored in UTC without zone, the city's date."""
    if value is None:
        return "–"
    if isinstance(value, datetime):
        value = value.replace(tzinfo=UTC).astimezone(CITY_TIME).date()
    return f"{value.day}{NO_BREAK}{_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime | None) -> str:
    """`9 april 2018 kl. 08.05`, in the city's time, of a moment stored in UTC without zone."""
    if value is None:
        return "–"
    local = value.replace(tzinfo=UTC).astimezone(CITY_TIME)
    return f"{day(value)} kl.{NO_BREAK}{local:%H.%M}"


def counted(count: int, one: str, many: str) -> str:
    """`1 rad`, `1 234 rader`."""
    return f"{number(count)} {one if count == 1 else many}"


def quarter_name(value: object) -> str:
    """`kvartal 3 2018` of `2018Q3`."""
    text = str(value)
    return f"kvartal {text[5:]} {text[:4]}"


def dataset_name(value: str | None) -> str:
    """A dataset's Swedish title; `okänd fil` where a file's name could not be read."""
    contract = load_contracts().get(value or "")
    return contract.short_title_sv if contract is not None else "okänd fil"


def unit_name(code: str) -> str:
    """A unit's name."""
    unit = load_districts().get(code)
    return unit.name if unit is not None else code
