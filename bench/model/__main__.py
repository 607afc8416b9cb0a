"""`python -m bench.model`: play the model of growth with what the newest results measured.

`--keep` writes bench/results/growth.json, and its tables into docs/explanation/growth.md; without
it they are printed, and as JSON with `--json`. `--seed N` plays another draw.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

import msgspec

from bench.model.costs import Costs, MissingRows, newest_costs
from bench.model.growth import Growth, grow
from bench.model.tables import TABLES
from bench.model.world import World

RESULTS = Path(__file__).parent.parent / "results"
KEPT = RESULTS / "growth.json"
PAGE = Path(__file__).parent.parent.parent / "docs" / "explanation" / "growth.md"


def main() -> int:
    """Play, and print or keep it."""
    parser = argparse.ArgumentParser(prog="python -m bench.model")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    growth = grow(World(), costs(), seed=asked.seed)
    if asked.keep:
        KEPT.write_bytes(msgspec.json.format(msgspec.json.encode(growth), indent=2) + b"\n")
        PAGE.write_text(filled(PAGE.read_text(), growth))
    elif asked.json:
        sys.stdout.write(msgspec.json.encode(growth).decode() + "\n")
    else:
        sys.stdout.write("\n\n".join(table(growth) for table in TABLES.values()) + "\n")
    return 0


def costs() -> Costs:
    """Return what the newest results measured; where none has all of it, what was kept last."""
    try:
        return newest_costs(RESULTS)
    except MissingRows as error:
        sys.stderr.write(f"{error}; the costs are those of {KEPT.name}\n")
        return kept().costs


def kept() -> Growth:
    """Return what was kept last."""
    return msgspec.json.decode(KEPT.read_bytes(), type=Growth)


def filled(page: str, growth: Growth) -> str:
    """Return a page with its tables: each stands between `<!-- name -->` and an empty comment."""
    for name, table in TABLES.items():
        mark = re.compile(rf"(<!-- {name} -->\n).*?(\n<!-- -->)", re.DOTALL)
        text = table(growth)
        page = mark.sub(lambda found, text=text: found[1] + text + found[2], page)  # type: ignore[misc]
    return page


if __name__ == "__main__":
    sys.exit(main())
