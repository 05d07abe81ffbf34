"""A suite's rules as SQL over the floor's table `sheet`: one expression for each kind of expectation.

A kind that is in a suite and not here stops the benchmark with a KeyError: the floor must do what intake does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ingest.quarters import Quarter

EMPTY, BAD, AMBIGUOUS = -1, -2, -3
DATE_EMPTY, DATE_BAD = -(2**31), -(2**31) + 1


def quoted(text: str) -> str:
    """Text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def as_date(column: str) -> str:
    """A column of days since 1970 as a date, null where it holds none."""
    return f"(case when {column} > {DATE_BAD} then date '1970-01-01' + {column} end)"


class RuleSql:
    """Writes the query of each rule: the positions (`place`) in `sheet` of the rows that break it."""

    def __init__(self, dates: set[str], codes: Mapping[str, Sequence[str]], quarter: Quarter) -> None:
        """Store which columns hold days, the numbers of the codes, and the values of $PARAMETER."""
        self.dates, self.codes = dates, codes
        self.parameters = {
            "quarter_start": quarter.start.isoformat(),
            "quarter_end": quarter.end.isoformat(),
            "two_quarters_before": quarter.back(2).start.isoformat(),
        }

    def query(self, kind: str, kwargs: Mapping[str, Any]) -> str:
        """`select place …` of the rows that break a rule."""
        given = {
            key: self.parameters[value["$PARAMETER"]] if isinstance(value, dict) else value
            for key, value in kwargs.items()
        }
        if kind == "expect_rows_to_be_unique_by":
            return self._repeated(**given)
        if kind == "expect_no_restart_within_days":
            return self._restarted(**given)
        if kind == "expect_rows_to_agree_within":
            return self._agreeing_within(**given)
        if kind == "expect_unborn_to_be_one_by_one":
            return self._unborn(**given)
        conditions = {
            "expect_values_to_be_filled": self._filled,
            "expect_values_to_be_readable": self._readable,
            "expect_codes_to_be_unambiguous": self._unambiguous,
            "expect_values_to_be_filled_when": self._filled_when,
            "expect_either_to_be_filled": self._either,
            "expect_values_to_be_empty_unless": self._empty_unless,
            "expect_values_to_be_empty_when": self._empty_when,
            "expect_dates_not_to_be_before": self._not_before,
            "expect_dates_to_be_between": self._dates_between,
            "expect_dates_to_follow_within_days": self._soon_after,
            "expect_dates_to_be_recent_when": self._recent_when,
            "expect_to_end_within_months": self._ended,
            "expect_numbers_to_be_between": self._numbers_between,
            "expect_persons_to_be_younger_than": self._younger,
            "expect_codes_to_agree_with": self._agreeing,
            "expect_numbers_to_agree_with": self._numbers_agreeing,
        }
        return f"select place from sheet where {conditions[kind](**given)}"

    def _is_empty(self, column: str) -> str:
        return f"{column} = {DATE_EMPTY if column in self.dates else EMPTY}"

    def _is_read(self, column: str) -> str:
        if column == "person":
            return "person is not null"
        return f"{column} > {DATE_BAD}" if column in self.dates else f"{column} >= 0"

    def _one_of(self, column: str, values: Sequence[str]) -> str:
        return f"{column} in ({', '.join(str(self.codes[column].index(value)) for value in values)})"

    def _filled(self, column: str) -> str:
        return self._is_empty(column)

    def _readable(self, column: str) -> str:
        return f"{column} = {DATE_BAD if column in self.dates else BAD}"

    def _unambiguous(self, column: str) -> str:
        return f"{column} = {AMBIGUOUS}"

    def _when(self, column: str, values: Sequence[str] | None) -> str:
        return self._is_read(column) if values is None else self._one_of(column, values)

    def _filled_when(
        self,
        column: str,
        when_column: str,
        when_values: Sequence[str] | None = None,
        unless_column: str | None = None,
        unless_values: Sequence[str] = (),
    ) -> str:
        broken = f"{self._is_empty(column)} and {self._when(when_column, when_values)}"
        return f"{broken} and not {self._one_of(unless_column, unless_values)}" if unless_column else broken

    def _either(self, column: str, when_column: str) -> str:
        return f"{self._is_empty(column)} and {self._is_empty(when_column)}"

    def _empty_unless(self, column: str, when_column: str, when_values: Sequence[str] | None = None) -> str:
        unknown = f"not {self._is_empty(when_column)} and not {self._is_read(when_column)}"
        return f"not {self._is_empty(column)} and not ({self._when(when_column, when_values)}) and not ({unknown})"

    def _empty_when(self, column: str, when_column: str, when_values: Sequence[str]) -> str:
        return f"not {self._is_empty(column)} and {self._one_of(when_column, when_values)}"

    def _not_before(self, column: str, other_column: str, strictly: bool = False) -> str:
        return (
            f"{column} {'<=' if strictly else '<'} {other_column} "
            f"and {self._is_read(column)} and {self._is_read(other_column)}"
        )

    def _dates_between(self, column: str, earliest: str | None = None, latest: str | None = None) -> str:
        limits = [f"{column} < date '{earliest}' - date '1970-01-01'"] if earliest else []
        limits += [f"{column} > date '{latest}' - date '1970-01-01'"] if latest else []
        return f"({' or '.join(limits)}) and {self._is_read(column)}"

    def _soon_after(self, column: str, other_column: str, days: int) -> str:
        return f"{self._is_read(column)} and {self._is_read(other_column)} and {column} - {days} > {other_column}"

    def _recent_when(self, column: str, as_of: str, days: int, when_column: str, when_values: Sequence[str]) -> str:
        first = f"date '{as_of}' - date '1970-01-01' - {days}"
        return f"{self._is_read(column)} and {column} < {first} and {self._one_of(when_column, when_values)}"

    def _ended(self, end_column: str, start_column: str, prolonged_column: str, months: int, as_of: str) -> str:
        months_later = f"cast({as_date(start_column)} + interval {months} month as date)"
        limit = (
            f"case when {self._is_read(prolonged_column)} then {prolonged_column} "
            f"when {self._is_empty(prolonged_column)} then {months_later} - date '1970-01-01' end"
        )
        end = (
            f"case when {self._is_read(end_column)} then {end_column} "
            f"when {self._is_empty(end_column)} then date '{as_of}' - date '1970-01-01' end"
        )
        return f"{self._is_read(start_column)} and {end} > {limit}"

    def _numbers_between(self, column: str, minimum: int | None = None, maximum: int | None = None) -> str:
        limits = [f"{column} < {minimum}"] if minimum is not None else []
        limits += [f"{column} > {maximum}"] if maximum is not None else []
        return f"({' or '.join(limits)}) and {self._is_read(column)}"

    def _younger(self, birth_column: str, date_column: str, years: int) -> str:
        birthday = f"{as_date(birth_column)} + interval {years} year"
        return f"{self._is_read(date_column)} and {birthday} <= {as_date(date_column)}"

    def _agreeing(self, column: str, other_column: str, values: Sequence[str]) -> str:
        cases = [
            f"({column} = {self.codes[column].index(value)} and {other_column} <> {place})"
            for place, value in enumerate(values)
        ]
        return f"{self._is_read(other_column)} and ({' or '.join(cases)})"

    def _numbers_agreeing(self, column: str, other_column: str) -> str:
        return f"{column} >= 0 and {other_column} >= 0 and {column} <> {other_column}"

    def _repeated(self, columns: Sequence[str], needed: Sequence[str] = ()) -> str:
        key = ", ".join("case_text" if name == "arende_id" else name for name in columns)
        use = " and ".join(self._is_read(name) for name in needed) or "true"
        return (
            f"select place from sheet semi join (select {key} from sheet where {use} group by {key} "
            f"having count(*) > 1) using ({key}) where {use}"
        )

    def _restarted(self, person_column: str, start_column: str, end_column: str, days: int) -> str:
        return (
            f"select begun.place from sheet as begun semi join ("
            f"select place, {person_column}, {end_column} as ended from sheet "
            f"where {person_column} is not null and {self._is_read(end_column)}) as other "
            f"on begun.{person_column} = other.{person_column} and begun.place <> other.place "
            f"and other.ended between begun.{start_column} - {days} and begun.{start_column} "
            f"where begun.{start_column} > {DATE_BAD}"
        )

    def _agreeing_within(self, column: str, agreeing_columns: Sequence[str], ignored_values: Sequence[str] = ()) -> str:
        key, differing = _text_of(column), []
        for name in agreeing_columns:
            known = [value for value in ignored_values if value in self.codes.get(name, ())]
            use = f"{name} >= 0" + (f" and not {self._one_of(name, known)}" if known else "")
            differing.append(f"min({name}) filter ({use}) <> max({name}) filter ({use})")
        return (
            f"select place from sheet semi join (select {key} from sheet where {key} is not null group by {key} "
            f"having {' or '.join(differing)}) using ({key})"
        )

    def _unborn(
        self, column: str, when_column: str, when_value: str, date_column: str, days: int, case_column: str = ""
    ) -> str:
        key, unborn = _text_of(column), f"{self._one_of(when_column, [when_value])} and {_text_of(column)} is not null"
        use = f"filter ({self._is_read(date_column)})"
        apart = (
            f"select place from sheet semi join (select {key} from sheet where {unborn} group by {key} "
            f"having max({date_column}) {use} - min({date_column}) {use} > {days}) using ({key}) where {unborn}"
        )
        if not case_column:
            return apart
        both = f"{key}, {_text_of(case_column)}"
        return (
            f"{apart} union select place from sheet semi join (select {both} from sheet where {unborn} "
            f"group by {both} having count(*) > 1) using ({both}) where {unborn}"
        )


def _text_of(column: str) -> str:
    """The column that holds the text of an identifier."""
    return {"arende_id": "case_text", "lopnummer": "running_text"}[column]
