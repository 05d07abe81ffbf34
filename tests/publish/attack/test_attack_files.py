import zipfile

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from publish.attack.files import inspect


def whats(folder, *secrets):
    return [(finding.file, finding.what) for finding in inspect(folder, secrets)]


def test_inspect_finds_nothing_in_plain_files(tmp_path):
    table = pa.table({"district_code": ["norr", "soder"], "cases": [12, 7]})
    pq.write_table(table, tmp_path / "mart.parquet")
    (tmp_path / "mart.csv").write_text("district_code;cases\nnorr;12\n", encoding="utf-8")
    with duckdb.connect(str(tmp_path / "marts.duckdb")) as con:
        con.execute("create table mart (district_code varchar, cases integer)")
    assert whats(tmp_path, b"0123456789abcdef") == []


def test_inspect_finds_columns_of_keys_and_true_counts(tmp_path):
    pq.write_table(pa.table({"cases": [12], "cases__key": [99]}), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text('"cases";"cases__true"\n12;11\n', encoding="utf-8")
    with duckdb.connect(str(tmp_path / "c.duckdb")) as con:
        con.execute("create table mart (case_key varchar)")
    expected = [("a.parquet", "column cases__key"), ("b.csv", "column cases__true"), ("c.duckdb", "column case_key")]
    assert whats(tmp_path) == expected


def test_inspect_finds_codes_that_no_row_has(tmp_path):
    codes = pa.DictionaryArray.from_arrays(pa.array([0, 0]), pa.array(["norr", "soder"]))
    pq.write_table(pa.table({"district_code": codes}), tmp_path / "a.parquet")
    assert whats(tmp_path) == [("a.parquet", "unused codes of district_code")]


def test_inspect_finds_what_no_column_reads(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"cases": [12]}), path)
    whole = path.read_bytes()
    size = int.from_bytes(whole[-8:-4], "little") + 8
    path.write_bytes(whole[:-size] + b"x" * 10_000 + whole[-size:])
    assert len(whats(tmp_path)) == 1
    assert "bytes that no column reads" in whats(tmp_path)[0][1]


def test_inspect_finds_secrets_across_blocks_and_in_workbooks(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"x" * ((1 << 20) - 4) + b"0123456789" + b"y" * 100)
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("docProps/core.xml", "<x>0123456789</x>" * 50)
    found = [("a.txt", "a key of a record or person"), ("b.xlsx", "a key of a record or person")]
    assert whats(tmp_path, b"0123456789") == found
    assert whats(tmp_path, b"9876543210") == []


def test_inspect_finds_what_was_deleted(tmp_path):
    with duckdb.connect(str(tmp_path / "a.duckdb")) as con:
        con.execute("create table secret as select hash(i) as h from range(400000) t(i)")
        con.execute("create table mart as select 1 as cases")
        con.execute("checkpoint")
        con.execute("drop table secret")
        con.execute("checkpoint")
    found = whats(tmp_path)
    assert len(found) == 1
    assert "blocks are free" in found[0][1]
