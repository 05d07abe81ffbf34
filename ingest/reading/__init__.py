"""From a file's bytes to a table of raw cells: `tables.read_table`.

In its order: `headers`, `records` (irregular CSV), `cleaning`, `totals`, `odd_rows`, `spreadsheet_marks` (with
`harmful_characters`, `turned_into_dates`, `times_of_day`). `needed_columns` decides later which columns a file lacks.
"""
