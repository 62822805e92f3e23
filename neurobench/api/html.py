"""HTML view of a run in a notebook. Text from files is escaped, since it may come from anybody."""

from __future__ import annotations

import contextlib
import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from neurobench.report.grouped import lines_by_group
from neurobench.report.summary import embedded, headline, remarks
from neurobench.storage.files import Damaged
from neurobench.storage.folder import RunFolder

LARGEST = 2 * 2**20  # bytes of a figure shown by default: a notebook stores them all
WIDTH = 340  # pixels of a figure: a column, as in print
NEXT = {
    "running": "It is still running; this shows its present state.",
    "killed": "Resume it: the same run with resume=True.",
    "queued": "Its jobs are queued at the device. Fetch the answers: neurobench poll.",
    "interrupted": "Resume it: the same run with resume=True.",
}
BLOCK = "display:inline-block;vertical-align:top;margin:0 2em 1em 0"


def shown(run: RunFolder, pictures: Sequence[Path]) -> str:
    """HTML of a run: headline, configuration, figures and, folded, all figures of merit by group."""
    record, result = _record(run), run.result() if run.is_finished else None
    title = f"<b>{text(run.label)}</b>"
    if result is None:
        return f"<div>{title} <p>{text(what(record))}</p><p>{text(unfinished(run, record))}</p></div>"
    small = [picture for picture in pictures if picture.stat().st_size <= LARGEST]
    notes = "".join(f"<li>{text(line)}</li>" for line in remarks(result))
    return (
        f"<div>{title}<p><b>{text(headline(result))}</b><br>{text(what({**record, **result}))}</p>"
        f"{''.join(map(figure, small))}<details><summary>all figures of merit</summary>"
        f"<div>{''.join(tables(result['metrics']))}</div><ul>{notes}</ul></details></div>"
    )


def _record(run: RunFolder) -> dict[str, Any]:
    """Contents of run.json; none if it is damaged, which the status says."""
    with contextlib.suppress(Damaged):
        return run.record()
    return {}


def what(known: Mapping[str, Any]) -> str:
    """Summary "qrbm on mnist, backend sim, seed 0, 1 epoch, 12.3 s", as far as it is known."""
    seed = known.get("seed", (known.get("seeds") or {}).get("root"))
    epochs, seconds = known.get("epochs"), known.get("seconds")
    parts = [
        f"{known['model']} on {known['dataset']}, backend {known['backend']}" if known.get("backend") else None,
        None if seed is None else f"seed {seed}",
        None if epochs is None else f"{epochs} epoch{'' if epochs == 1 else 's'}",
        None if seconds is None else f"{sum(seconds.values()):.1f} s",
    ]
    return ", ".join(part for part in parts if part)


def unfinished(run: RunFolder, record: Mapping[str, Any]) -> str:
    status, epochs = run.status, 0
    with contextlib.suppress(Damaged):
        epochs = len(run.metrics())
    after = f" after {epochs} epoch{'' if epochs == 1 else 's'}" if epochs else ""
    return f"{status}{after}. {record.get('error') or NEXT.get(status, '')}".strip()


def tables(metrics: Mapping[str, float]) -> Iterator[str]:
    """One HTML table for each group of figures of merit."""
    for title, lines in lines_by_group(metrics).items():
        rows = "".join(
            f'<tr><td style="text-align:left">{text(line.name)}</td>'
            f'<td style="text-align:right">{text(line.value or line.text)}</td></tr>'
            for line in lines
        )
        yield f'<div style="{BLOCK}"><b>{text(title)}</b><table>{rows}</table></div>'


def figure(picture: Path) -> str:
    name = text(picture.stem.replace("_", " "))
    image = f'<img src="{embedded(picture)}" alt="{name}" style="width:{WIDTH}px;max-width:100%;background:white">'
    return f'<figure style="{BLOCK};max-width:100%">{image}<figcaption>{name}</figcaption></figure>'


def text(value: object) -> str:
    return html.escape(str(value))
