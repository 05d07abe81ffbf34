"""A body is split into the same parts however it is cut, and one that is not well-formed is refused."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from handing_over import BOUNDARY, TYPE, body, form, part
from hypothesis import given
from hypothesis import strategies as st

from portal.handover.multipart import (
    BrokenBody,
    HandoverRefused,
    PartBegins,
    PartBytes,
    PartEnds,
    Splitter,
    TooLarge,
    boundary_of,
)

Part = tuple[str, str | None, bytes]


def split(chunks: list[bytes]) -> list[Part]:
    splitter, parts = Splitter(BOUNDARY.encode()), []
    for chunk in chunks:
        for event in splitter.feed(chunk):
            if isinstance(event, PartBegins):
                begun, content = event, bytearray()
            elif isinstance(event, PartBytes):
                content += event.content
            else:
                assert isinstance(event, PartEnds)
                parts.append((begun.name, begun.file_name, bytes(content)))
    if not splitter.is_whole:
        raise BrokenBody("not whole")
    return parts


MARK = f"--{BOUNDARY}".encode()
PIECES = st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n--", BOUNDARY.encode()[:4], b"a", b"\0", MARK])
CONTENTS = st.lists(PIECES, max_size=12).map(b"".join).filter(lambda c: b"\r\n" + MARK not in b"\r\n" + c)


@given(contents=st.lists(CONTENTS, max_size=4), cuts=st.lists(st.integers(0, 900), max_size=30))
def test_parts_do_not_depend_on_how_the_body_is_cut(contents: list[bytes], cuts: list[int]) -> None:
    sent = body(*(part(f"n{place}", content, f"f{place}.csv") for place, content in enumerate(contents)))
    places = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})
    pieces = [sent[start:end] for start, end in pairwise(places)]
    expected = [(f"n{place}", f"f{place}.csv", content) for place, content in enumerate(contents)]
    assert split(pieces) == split([sent]) == split([sent[i : i + 1] for i in range(len(sent))]) == expected


@given(st.binary(max_size=300))
def test_any_bytes_are_split_or_refused(content: bytes) -> None:
    for sent in (content, body(part("a", b"x")) + content, part("a", b"x")[:-2] + content):
        with suppress(HandoverRefused):
            split([sent])


def test_every_beginning_of_a_body_is_not_whole() -> None:
    sent = form([("a.csv", b"1;2")], csrf="t")
    whole = len(sent) - len("\r\n")
    for length in range(whole):
        with pytest.raises(BrokenBody):
            split([sent[:length]])
    assert split([sent[:whole]]) == split([sent]) == [("csrf", None, b"t"), ("filer", "a.csv", b"1;2")]


NAMES = {
    'filename="a.csv"': "a.csv",
    'filename="ärenden på ön.csv"': "ärenden på ön.csv",
    "filename=a.csv": "a.csv",
    'filename="..\\\\..\\\\etc\\\\a.csv"': "a.csv",
    'filename="C:\\Users\\anna\\a.csv"': "a.csv",
    'filename="../../etc/passwd"': "passwd",
    'filename="/"': "",
    'filename="%22quoted%22%0d%0a.csv"': '"quoted"\r\n.csv',
    'filename="\\"quoted\\".csv"': '"quoted".csv',
    'filename="a;b=c.csv"': "a;b=c.csv",
    "filename*=UTF-8''%C3%A4.csv": "ä.csv",
    "filename=\"a.csv\"; filename*=UTF-8''b.csv": "a.csv",
}


@pytest.mark.parametrize("given_as", NAMES)
def test_file_names_are_read_as_programs_write_them(given_as: str) -> None:
    sent = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="f"; {given_as}\r\n\r\nx\r\n--{BOUNDARY}--'
    assert split([sent.encode()]) == [("f", NAMES[given_as], b"x")]


def with_headers(*lines: str) -> bytes:
    return "\r\n".join([f"--{BOUNDARY}", *lines, "", "x", f"--{BOUNDARY}--"]).encode()


DISPOSITION = 'Content-Disposition: form-data; name="f"; filename="a.csv"'
BROKEN = {
    "another boundary": body(part("a", b"x")).replace(BOUNDARY.encode(), b"other"),
    "text before": b"hello\r\n" + body(part("a", b"x")),
    "text after": body(part("a", b"x")) + b"more",
    "padding after the boundary": body(part("a", b"x")).replace(BOUNDARY.encode(), BOUNDARY.encode() + b" "),
    "no disposition": with_headers("Content-Type: text/csv"),
    "no name": with_headers('Content-Disposition: form-data; filename="a.csv"'),
    "another disposition": with_headers('Content-Disposition: attachment; name="f"'),
    "a parameter twice": with_headers(DISPOSITION + '; filename="b.csv"'),
    "a header twice": with_headers(DISPOSITION, DISPOSITION),
    "a header without colon": with_headers(DISPOSITION, "hello"),
    "a folded header": with_headers(DISPOSITION, " more: x"),
    "a lone line feed in a header": with_headers(DISPOSITION, "X-A: b\nX-C: d"),
    "an unended quote": with_headers('Content-Disposition: form-data; name="f'),
    "not UTF-8": with_headers(DISPOSITION).replace(b"a.csv", b"\xe5.csv"),
    "base64": with_headers(DISPOSITION, "Content-Transfer-Encoding: base64"),
    "parts in a part": with_headers(DISPOSITION, "Content-Type: multipart/mixed; boundary=y"),
    "a message in a part": with_headers(DISPOSITION, "Content-Type: message/rfc822"),
    "only an end": b"--",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", BROKEN)
def test_body_that_is_not_well_formed_is_refused(kind: str) -> None:
    with pytest.raises(BrokenBody):
        split([BROKEN[kind]])


def test_headers_without_end_are_given_up() -> None:
    splitter = Splitter(BOUNDARY.encode())
    with pytest.raises(TooLarge):
        for chunk in [f"--{BOUNDARY}\r\n".encode(), *[b"X-A: b\r\n" * 10] * 100]:
            list(splitter.feed(chunk))
    assert len(splitter._buffer) < 5000


@pytest.mark.parametrize(
    "given_type",
    [
        "", "multipart/form-data", "multipart/form-data; boundary=", "application/json; boundary=x",
        f"multipart/form-data; boundary={'x' * 71}", 'multipart/form-data; boundary="a b"',
        "multipart/form-data; boundary=a; boundary=b", "multipart/mixed; boundary=x",
        "multipart/form-data; boundary=ä", 'multipart/form-data; boundary="a\\"b"',
    ],
)  # fmt: skip
def test_content_type_without_a_boundary_is_refused(given_type: str) -> None:
    with pytest.raises(BrokenBody):
        boundary_of(given_type)


def test_boundary_is_read_quoted_or_not() -> None:
    assert boundary_of(TYPE) == BOUNDARY.encode() == boundary_of(f'Multipart/Form-Data;boundary="{BOUNDARY}"')
