"""One drawn file before it is bytes: its columns, and its bytes as the unit writes them."""

from __future__ import annotations

from dataclasses import dataclass

from ingest.quarters import Quarter
from synthetic.file_columns import Columns
from synthetic.habits import in_workbook
from synthetic.workbooks import workbook_bytes
from synthetic.writing import csv_bytes


@dataclass(frozen=True)
class DrawnTable:
    """A unit's rows of one dataset and quarter."""

    unit: str
    dataset: str
    quarter: Quarter
    columns: Columns
    rows: int

    @property
    def file_name(self) -> str:
        """The name that the contract asks for."""
        ending = "xlsx" if in_workbook(self.unit, self.dataset) else "csv"
        return f"{self.unit}_{self.dataset}_{self.quarter}.{ending}"

    def content(self) -> bytes:
        """The file as the unit writes it."""
        if in_workbook(self.unit, self.dataset):
            return workbook_bytes(self.unit, self.dataset, self.quarter, self.columns)
        return csv_bytes(self.unit, self.dataset, self.quarter, self.columns)
