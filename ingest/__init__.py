"""From a district's bytes to rows in force. The way of a file, in order:

1. `locations/` lists, reads and clears drop locations; `districts` says which there are.
2. `receiving` takes in what waits, one district at a time; `naming` reads a file's name.
3. `reading/` turns bytes into a table of raw cells; `workbooks/` does so for Excel and OpenDocument.
4. `conforming` turns cells into numbers, by `contracts`; `persons/` replaces persons' numbers by keys.
5. `checks/` runs the dataset's rules; `history` and `similar_files` add what other files say.
6. `checking` does 3 to 5 and makes the report; `comparing` adds what a new version changes (`row_changes`).
7. `feedback` and `feedback_workbook` write the report for the sender; `queries` and `explaining` follow its queries.
8. `recording` stores the original (`originals`), the rows (`storing`) and commits to the `ledger/`.
9. `rechecking` runs the rules of later files again that look back at this one.
10. `maintenance/` is for later: erasing, restoring, reimporting, reprocessing, rotating keys.
"""
