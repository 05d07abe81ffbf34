"""A unit's mapping as a document: YAML, read as if it were hostile, and checked against the contract.

```yaml
unit: bromma
valid_from: 2018Q3
datasets:
  arenden:
    columns:
      Aktualiseringsorsak: orsak
    codes:
      kon:
        "1": man
    empty:
      orsak: ["saknas", "-"]
    dates:
      inkom_datum: ["ååmmdd"]
```
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import yaml

from ingest.characters import visible
from ingest.conforming import IDENTIFIER, read_date, read_whole_number
from ingest.contracts import CodeList, Column, Contract, LocalName, load_contracts
from ingest.districts import load_districts
from ingest.folding import fold
from ingest.mappings.date_forms import form_of, why_no_form
from ingest.persons.number_search import reads_as_number
from ingest.quarters import Quarter
from ingest.sentinels import BAD, DATE_BAD

MOST_BYTES = 200_000
"""Of a document."""
LONGEST_WORD = 200
"""Characters of a header or code."""
_MOST_EVENTS, _DEEPEST = 40_000, 6
_MOST_MISTAKES = 50
_SHOWN = 60
_SYSTEM_TEXT = {"unit", "valid_from", "datasets"}


class MappingRefused(Exception):
    """A mapping that can't be used: `mistakes` says what is wrong, each in one sentence."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        """Store the mistakes; the exception's text has them all."""
        super().__init__("; ".join(mistakes))
        self.mistakes = tuple(mistakes)


@dataclass(frozen=True)
class ColumnWord:
    """A header as the unit writes it, and the contract's column that it means; `line` of the document, 0 for none."""

    header: str
    column: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class CodeWord:
    """A code as the unit writes it in a column of the contract, and the contract's code that it means."""

    column: str
    spelling: str
    code: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class EmptyWord:
    """What the unit writes in a column of the contract where it has nothing to say: the cell is then empty."""

    column: str
    spelling: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class DateForm:
    """A form in which the unit writes dates in a column of the contract, such as `ååmmdd` (see `date_forms`)."""

    column: str
    form: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class DatasetWords:
    """A unit's words of one dataset."""

    columns: tuple[ColumnWord, ...] = ()
    codes: tuple[CodeWord, ...] = ()
    empties: tuple[EmptyWord, ...] = ()
    dates: tuple[DateForm, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.columns or self.codes or self.empties or self.dates)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.columns) + len(self.codes) + len(self.empties) + len(self.dates)


@dataclass(frozen=True)
class UnitMapping:
    """A unit's words from a quarter on, until its mapping with a later `valid_from`.

    Attributes:
        datasets: dataset → words; one that is not named has the contract's own.
        version: its number among the unit's; 0 until it is set.
    """

    district_code: str
    valid_from: Quarter
    datasets: tuple[tuple[str, DatasetWords], ...]
    version: int = 0

    def words_of(self, dataset: str) -> DatasetWords:
        """The unit's words of a dataset."""
        return dict(self.datasets).get(dataset, DatasetWords())


def read_mapping(raw: bytes) -> UnitMapping:
    """Read a document. What it says is not checked against the contract: that is `mistakes_in`.

    Every value is text, as it is written: `1`, `no` and `2018-01-01` are no number, no truth value and no date.

    Raises:
        MappingRefused: it is too large, no UTF-8, no YAML, uses tags, anchors or aliases, names a key twice, or lacks
            or has other keys than it must.
    """
    if len(raw) > MOST_BYTES:
        raise MappingRefused([f"the document is larger than {MOST_BYTES // 1000} kB"])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MappingRefused(["the document is not UTF-8: save it as UTF-8"]) from None
    try:
        _require_plain(text)
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise MappingRefused([f"{where}no YAML: look at indents, colons and quotation marks"]) from None
    except yaml.YAMLError:
        raise MappingRefused(["no YAML: the document has characters that no text has"]) from None
    return _mapping_of(node)


def _require_plain(text: str) -> None:
    """Refuse what a mapping has no use for, before anything is made of it; the scanner goes through it step by step."""
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.BaseLoader)):
        line = event.start_mark.line + 1 if event.start_mark is not None else 0
        if number > _MOST_EVENTS:
            raise MappingRefused([f"line {line}: the document has more than {_MOST_EVENTS // 2} words"])
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise MappingRefused([f"line {line}: anchors and aliases (& and *) are not read: quote such a word"])
        if getattr(event, "tag", None):
            raise MappingRefused([f"line {line}: tags (!) are not read: quote such a word"])
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            raise MappingRefused([f"line {line}: it is indented deeper than a mapping is"])


def _mapping_of(node: yaml.Node | None) -> UnitMapping:
    parts = dict(_entries(node, "the document"))
    if set(parts) != _SYSTEM_TEXT:
        raise MappingRefused([f"the document has the keys {', '.join(sorted(_SYSTEM_TEXT))}, and no others"])
    unit = _text(parts["unit"])
    try:
        valid_from = Quarter.parse(_text(parts["valid_from"]))
    except ValueError:
        line = parts["valid_from"].start_mark.line + 1
        raise MappingRefused([f"line {line}: valid_from is a quarter, such as 2026Q1"]) from None
    datasets = [(name, _words(entry, name)) for name, entry in _entries(parts["datasets"], "datasets")]
    return UnitMapping(unit, valid_from, tuple(datasets))


def _words(node: yaml.Node, dataset: str) -> DatasetWords:
    parts = dict(_entries(node, dataset))
    if not set(parts) <= {"columns", "codes", "empty", "dates"}:
        line = node.start_mark.line + 1
        raise MappingRefused([f"line {line}: a dataset has columns, codes, empty and dates, and nothing else"])
    columns: tuple[ColumnWord, ...] = ()
    codes: tuple[CodeWord, ...] = ()
    if "columns" in parts:
        found = _entries(parts["columns"], "columns")
        columns = tuple(ColumnWord(header, _text(name), name.start_mark.line + 1) for header, name in found)
    if "codes" in parts:
        codes = tuple(
            CodeWord(column, spelling, _text(code), code.start_mark.line + 1)
            for column, entries in _entries(parts["codes"], "codes")
            for spelling, code in _entries(entries, column)
        )
    empties = tuple(EmptyWord(*one) for one in _lists(parts.get("empty"), "empty"))
    dates = tuple(DateForm(column, form_of(form), line) for column, form, line in _lists(parts.get("dates"), "dates"))
    return DatasetWords(columns, codes, empties, dates)


def _lists(node: yaml.Node | None, what: str) -> Iterator[tuple[str, str, int]]:
    """Column, word and line of each word of a column's list; a single word needs no list."""
    if node is None:
        return
    for column, listed in _entries(node, what):
        words = listed.value if isinstance(listed, yaml.SequenceNode) else [listed]
        seen: set[str] = set()
        for word in words:
            text, line = _text(word), word.start_mark.line + 1
            if text in seen:
                raise MappingRefused([f"line {line}: {shown(text)} is named twice in {shown(column)}"])
            seen.add(text)
            yield column, text, line


def _entries(node: yaml.Node | None, what: str) -> Iterator[tuple[str, yaml.Node]]:
    """Keys and values of a node; an empty one has none."""
    if isinstance(node, yaml.ScalarNode) and not node.value and node.style is None:
        return
    if not isinstance(node, yaml.MappingNode):
        line = 1 if node is None else node.start_mark.line + 1
        raise MappingRefused([f"line {line}: {shown(what)} is no list of `word: meaning`"])
    seen: set[str] = set()
    for key, value in node.value:
        name = _text(key)
        if name in seen:
            raise MappingRefused([f"line {key.start_mark.line + 1}: {shown(name)} is named twice in {shown(what)}"])
        seen.add(name)
        yield name, value


def _text(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise MappingRefused([f"line {node.start_mark.line + 1}: one word is due here, not several"])
    return str(node.value)


def shown(text: str) -> str:
    """A word of a document as a message shows it: short, printable, and nothing that reads as a personal number."""
    if reads_as_number(text):
        return "•••"
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= _SHOWN else f"{clean[:_SHOWN]}…"


def as_yaml(mapping: UnitMapping) -> str:
    """A mapping as a document, the same one for the same words."""
    lines = [f"unit: {mapping.district_code}", f"valid_from: {mapping.valid_from}"]
    lines.append("datasets:" if mapping.datasets else "datasets: {}")
    for dataset, words in mapping.datasets:
        lines.append(f"  {dataset}:" if words else f"  {dataset}: {{}}")
        if words.columns:
            lines.append("    columns:")
            lines += [f"      {quoted(word.header)}: {word.column}" for word in words.columns]
        if words.codes:
            lines.append("    codes:")
        for column in dict.fromkeys(word.column for word in words.codes):
            lines.append(f"      {column}:")
            lines += [f"        {quoted(w.spelling)}: {w.code}" for w in words.codes if w.column == column]
        lines += _listed("empty", [(one.column, one.spelling) for one in words.empties])
        lines += _listed("dates", [(one.column, one.form) for one in words.dates])
    return "\n".join(lines) + "\n"


def _listed(key: str, words: Sequence[tuple[str, str]]) -> Iterator[str]:
    if words:
        yield f"    {key}:"
    for column in dict.fromkeys(column for column, _ in words):
        yield f"      {column}: [{', '.join(quoted(word) for name, word in words if name == column)}]"


def quoted(word: str) -> str:
    """A word between quotation marks, as YAML reads it back unchanged."""
    return json.dumps(word, ensure_ascii=False)


def mistakes_in(mapping: UnitMapping, local_names: Sequence[LocalName] = ()) -> list[str]:
    """What is wrong with a mapping, each in one sentence with its line; empty where it can be used.

    Args:
        mapping: from `read_mapping`.
        local_names: names of interventions that the city has added: a unit's code must not contradict them.
    """
    found = []
    if load_districts().get(mapping.district_code) is None:
        found.append(f"{shown(mapping.district_code)} is no unit{_near(mapping.district_code, _units())}")
    for dataset, words in mapping.datasets:
        if dataset not in load_contracts():
            found.append(f"{shown(dataset)} is no dataset{_near(dataset, list(load_contracts()))}")
            continue
        found += mistakes_of(words, load_contracts()[dataset], mapping.district_code, local_names)
    return found[:_MOST_MISTAKES]


def _units() -> list[str]:
    return [unit.code for unit in load_districts().districts]


def _near(word: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(word[:LONGEST_WORD], known, n=3)
    return f"; near it: {', '.join(near)}" if near else f"; there are {', '.join(known)}" if len(known) < 12 else ""


def mistakes_of(
    words: DatasetWords, contract: Contract, district_code: str, local_names: Sequence[LocalName] = ()
) -> list[str]:
    """What is wrong with a unit's words of one dataset, against its contract."""
    return [
        *_column_mistakes(words, contract),
        *_code_mistakes(words, contract, district_code, local_names),
        *_empty_mistakes(words, contract, district_code, local_names),
        *_date_mistakes(words, contract),
    ]


def _column_mistakes(words: DatasetWords, contract: Contract) -> Iterator[str]:
    names = [column.name for column in contract.columns]
    headers: dict[str, ColumnWord] = {}
    by_column: dict[str, ColumnWord] = {}
    for word in words.columns:
        where = f"{_line(word.line)}{contract.dataset}: "
        if word.column not in names:
            yield f"{where}there is no column {shown(word.column)}{_near(word.column, names)}"
            continue
        if why := _why_no_word(word.header):
            yield f"{where}the header of {word.column} {why}"
            continue
        folded = fold(word.header)
        own = contract.header_lookup().get(folded)
        if own not in (None, word.column):
            yield f"{where}{shown(word.header)} is the contract's own header of {own}, and can't mean {word.column}"
        if folded in headers:
            other = headers[folded]
            yield f"{where}{shown(word.header)} and {shown(other.header)} are read alike: name one of them"
        if word.column in by_column:
            other = by_column[word.column]
            yield f"{where}{shown(word.header)} and {shown(other.header)} both mean {word.column}: name one of them"
        headers.setdefault(folded, word)
        by_column.setdefault(word.column, word)


def _code_mistakes(
    words: DatasetWords, contract: Contract, district_code: str, local_names: Sequence[LocalName]
) -> Iterator[str]:
    columns = {column.name: column for column in contract.columns}
    coded = [name for name, column in columns.items() if column.type in ("code", "code_list")]
    lists: dict[str, CodeList] = {}
    seen: dict[tuple[str, str], CodeWord] = {}
    for word in words.codes:
        where = f"{_line(word.line)}{contract.dataset}: "
        if word.column not in columns:
            yield f"{where}there is no column {shown(word.column)}{_near(word.column, coded)}"
            continue
        where += f"{word.column}: "
        if word.column not in coded:
            yield f"{where}it is no column of codes"
            continue
        if word.column not in lists:
            lists[word.column] = contract.code_list(word.column, district_code, local_names)
        codes = lists[word.column]
        if why := _why_no_word(word.spelling):
            yield f"{where}the word for {shown(word.code)} {why}"
            continue
        if "|" in word.spelling and columns[word.column].type == "code_list":
            yield f"{where}{shown(word.spelling)} holds |, which parts codes in this column"
        if word.code not in codes.codes:
            yield f"{where}there is no code {shown(word.code)}{_near(word.code, codes.codes)}"
            continue
        folded = fold(word.spelling)
        own = codes.lookup.get(folded)
        if own is not None and codes.codes[own] != word.code:
            yield f"{where}{shown(word.spelling)} is the contract's own word for {codes.codes[own]}"
        meanings = codes.ambiguous.get(folded)
        if meanings is not None and word.code not in meanings:
            yield f"{where}{shown(word.spelling)} can only mean {' or '.join(meanings)}"
        other = seen.setdefault((word.column, folded), word)
        if other.code != word.code:
            yield f"{where}{shown(word.spelling)} and {shown(other.spelling)} are read alike, and mean two codes"


def _empty_mistakes(
    words: DatasetWords, contract: Contract, district_code: str, local_names: Sequence[LocalName]
) -> Iterator[str]:
    columns = {column.name: column for column in contract.columns}
    said = {(word.column, empty_word(word.spelling)) for word in words.codes}
    for word in words.empties:
        where = f"{_line(word.line)}{contract.dataset}: "
        if word.column not in columns:
            yield f"{where}there is no column {shown(word.column)}{_near(word.column, list(columns))}"
            continue
        where += f"{word.column}: "
        text = empty_word(word.spelling)
        if not text or len(word.spelling) > LONGEST_WORD or not word.spelling.isprintable():
            yield f"{where}a word for empty is one to {LONGEST_WORD} characters that can be seen"
        elif reads_as_number(word.spelling):
            yield f"{where}a word for empty reads as a personal number"
        elif (word.column, text) in said:
            yield f"{where}{shown(word.spelling)} is a word for a code too"
        elif is_read(word.spelling, columns[word.column], contract, district_code, local_names):
            yield f"{where}{shown(word.spelling)} is a value of this column, and can't mean that it is empty"


def is_read(
    text: str, column: Column, contract: Contract, district_code: str, local_names: Sequence[LocalName] = ()
) -> bool:
    """Whether a column's cell with this text means something by the contract: it is a value, or one of two codes."""
    if column.type == "date":
        return read_date(text) != DATE_BAD
    if column.type == "integer":
        return read_whole_number(text) != BAD
    if column.type == "identifier":
        return IDENTIFIER.fullmatch(text) is not None
    if column.type in ("code", "code_list"):
        codes = contract.code_list(column.name, district_code, local_names)
        parts = text.split("|") if column.type == "code_list" else [text]
        return any(fold(part) in codes.lookup or fold(part) in codes.ambiguous for part in parts)
    return column.type == "text"  # whatever is written is its value; a person's number is asked about elsewhere


def empty_word(text: str) -> str:
    """A word for "empty" as it is compared: signs count, capitals and blanks at its ends do not."""
    return visible(text).strip().casefold()


def _date_mistakes(words: DatasetWords, contract: Contract) -> Iterator[str]:
    dates = [column.name for column in contract.columns if column.type == "date"]
    for one in words.dates:
        where = f"{_line(one.line)}{contract.dataset}: "
        if one.column not in dates:
            yield f"{where}there is no column of dates {shown(one.column)}{_near(one.column, dates)}"
        elif why := why_no_form(one.form):
            yield f"{where}{one.column}: {shown(one.form)} {why}"


def _line(line: int) -> str:
    return f"line {line}: " if line else ""


def _why_no_word(word: str) -> str:
    """Why a text can be no header or code of a file; empty where it can."""
    if not fold(word):
        return "is empty"
    if len(word) > LONGEST_WORD:
        return f"is longer than {LONGEST_WORD} characters"
    if not word.isprintable() or visible(word) != word:
        return "has spaces at its ends, or characters that nobody sees"
    if reads_as_number(word):
        return "reads as a personal number"
    return ""
