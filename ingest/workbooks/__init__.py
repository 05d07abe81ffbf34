"""From a workbook's bytes to one sheet as text: `sandbox` starts `process`, which reads the workbook with `readers`.

`package` unpacks the zip; `xlsx`, `ods` and `xls` find what calamine does not report; `grid` writes a sheet's cells as
text. The process imports the standard library, calamine and few modules of ours.
"""
