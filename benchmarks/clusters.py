"""`make bench`: the list of clusters with 1,000 and with 100,000 of them, in one run, on a PostgreSQL of its own.

It ends with 1 when a page takes more than twice as long with 100,000 (the median of pairs of loads: see
`benchmarks.pages`) or another number of queries, or when the export holds more memory the more rows it sends.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks import export, ground, pages, reading
from benchmarks.ground import SIZES

# A page with many clusters takes at most so many times what it takes with few.
MOST: Final = 2.0
# What the export adds to its process, in MB, and how many times what it adds with few clusters. Those are one portion
# of rows, while of many the portion sent and the next one are held at once: twice as much is as it should be. Were all
# rows held, it would be a hundred times.
MOST_MEMORY: Final = 16.0
MOST_GROWTH: Final = 4.0


def run() -> bool:
    """Measure, print, and answer whether all bounds hold."""
    few, many = (f"{size:,}" for size in SIZES)
    print(f"{'':32}{few:>12}{many:>12}{'ratio':>8}{'half of them':>16}{'queries':>10}{'rows':>8}", flush=True)
    kept = []
    for name, taken in pages.measure_all().items():
        # No query at all would mean that nothing was counted.
        kept.append(taken.ratio <= MOST and 0 < taken.queries[0] == taken.queries[1])
        times = "".join(f"{each:>9.1f} ms" for each in taken.milliseconds)
        spread = "{:.2f} to {:.2f}".format(*taken.quarters)
        queries, rows = ("{}/{}".format(*each) for each in (taken.queries, taken.rows))
        print(f"{name:32}{times}{taken.ratio:>8.2f}{spread:>16}{queries:>10}{rows:>8}{_word(kept[-1])}", flush=True)
    exports = [export.added(size) for size in SIZES]
    memory = [megabytes for _, megabytes in exports]
    ratio = memory[1] / memory[0]
    kept.append(tuple(rows for rows, _ in exports) == SIZES and memory[1] <= MOST_MEMORY and ratio <= MOST_GROWTH)
    print(f"{'CSV, memory added':32}{memory[0]:>9.1f} MB{memory[1]:>9.1f} MB{ratio:>8.2f}{_word(kept[-1])}", flush=True)
    # No bound is set on these: nobody waits for them.
    for words, each in reading.per_cluster().items():
        print(f"{words:32}{each[0]:>9.2f} ms{each[1]:>9.2f} ms{each[1] / each[0]:>8.2f}", flush=True)
    return all(kept)


def _word(kept: bool) -> str:  # noqa: FBT001 - what it is about
    return "" if kept else "  TOO MUCH"


def main() -> int:
    """Run it with servers of its own."""
    folder = Path(tempfile.mkdtemp(prefix="portal-bench-"))
    postgres, stop = ground.start(folder)
    try:
        ground.settle()
        ground.make(postgres, pages.people)
        return 0 if run() else 1
    finally:
        ground.close()
        stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
