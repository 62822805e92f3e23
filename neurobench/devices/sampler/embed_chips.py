"""Compute what fits on each chip with its faults: python -m neurobench.devices.sampler.embed_chips [CHIP ...]

Draws the faults of each chip twenty times, lets minorminer's busclique embed cliques and pairs of layers in each
working graph, and writes `embeddings.json.gz`, which `embeddings` reads. Needs the extra `embedding`. A draw takes half
a minute of one core on a P16, seconds elsewhere; draws already in the file are not repeated. Finally it prints
the table of `neurobench help chips`.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence

from neurobench.devices.sampler.busclique import capacity
from neurobench.devices.sampler.chips import CHIPS
from neurobench.devices.sampler.embeddings import DRAWS, TABLE, all_tabulated


def main(names: Sequence[str]) -> None:
    table = json.loads(gzip.decompress(TABLE.read_bytes())) if TABLE.is_file() else {}
    for name in names or CHIPS:
        draws = table.setdefault(name, [])
        for draw in range(len(draws), DRAWS):
            draws.append(capacity(CHIPS[name], draw))
            TABLE.write_bytes(gzip.compress(json.dumps(table, separators=(",", ":")).encode(), 9, mtime=0))
            print(name, draw, "largest clique", max(sum(counts) for _, *counts in draws[-1]["cliques"]), flush=True)
    print(capacities())


def capacities() -> str:
    """Markdown table of the least and the most that fits on each chip over the tabulated draws of its faults."""
    heads = ("chip", "topology", "qubits, couplers", "draws", "clique", "equal layers", "beside 64", "100", "144")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for name, chip in CHIPS.items():
        drawn = all_tabulated(name)
        figures = [[one.clique, one.layer, *map(one.partner_size, (64, 100, 144))] for one in drawn]
        spans = (f"{min(figure)} to {max(figure)}" for figure in zip(*figures, strict=True))
        size = f"{chip.qubits:,}, {chip.couplers:,}"
        lines.append(f"| {' | '.join((name, chip.topology, size, str(len(drawn)), *spans))} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(sys.argv[1:])
