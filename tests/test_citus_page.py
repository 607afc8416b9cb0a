"""The page on Citus names each table as what it is."""

from __future__ import annotations

import re
from pathlib import Path

from tests.storage.test_postgres_statements import REFERENCE_TABLES, spread_tables

PAGE = Path(__file__).parent.parent / "docs" / "howto" / "spread-with-citus.md"


def test_the_page_spreads_each_table_by_its_bucket_and_names_the_reference_tables() -> None:
    text = PAGE.read_text()
    spread = re.findall(r"create_distributed_table\('(\w+)', 'bucket'(.*)\);", text)
    tables = {name for name, definition in spread_tables().items() if definition}
    assert {name for name, _ in spread} == tables
    assert len(spread) == len(tables)
    assert [rest for _, rest in spread] == ["", *[", colocate_with => 'head'"] * (len(spread) - 1)]
    assert set(re.findall(r"create_reference_table\('(\w+)'\)", text)) == REFERENCE_TABLES
