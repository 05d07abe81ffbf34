"""From a workbook's bytes to one sheet as text, in a process of its own: the standard library and calamine, no more."""
