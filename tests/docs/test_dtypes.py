"""The table of dtypes in the documentation is the one that decides."""

import re
from pathlib import Path

from symtensor.types.dtype import promote

PAGE = Path(__file__).parents[2] / "docs" / "dtypes.md"


def test_the_table_is_the_one_that_decides():
    header, _, *rows = [line.strip("|").split("|") for line in PAGE.read_text(encoding="utf-8").splitlines()
                        if line.startswith("|")]
    columns = [cell.strip() for cell in header[1:]]
    assert len(columns) == len(rows) == 6
    for name, *cells in rows:
        row = re.sub(r"\W", "", name)
        assert [cell.strip() for cell in cells] == [promote(row, column) for column in columns]
