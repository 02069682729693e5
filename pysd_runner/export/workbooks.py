"""Tables as sheets of a workbook, written whole."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pysd_runner.export.files import write_bytes_whole

if TYPE_CHECKING:
    import pandas as pd

# A name of a sheet may not be longer, nor hold these.
LONGEST = 31
FORBIDDEN = str.maketrans(dict.fromkeys("[]:*?/\\", "_"))


def save_workbook(sheets: "Mapping[str, pd.DataFrame]", path: str | Path) -> Path:
    """Write tables into a workbook, a sheet each, whole or not at all."""
    import pandas as pd

    content = io.BytesIO()
    with pd.ExcelWriter(content, engine="openpyxl") as writer:
        for name, frame in sheets.items():
            title = name.translate(FORBIDDEN)[:LONGEST]
            frame.to_excel(writer, sheet_name=title, index=False, freeze_panes=(1, 0))
        for sheet in writer.book.worksheets:
            for cell in (cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f"):
                cell.data_type = "s"  # a text that begins with = is no formula of ours
    return write_bytes_whole(path, content.getvalue())
