"""The pages of `neurobench help`."""

from importlib.resources import files

TOPICS = (
    "start", "configuration", "data", "models", "exchange", "backends", "devices", "chips", "vendors", "sweeps",
    "clusters", "tables", "results", "python", "plugins", "metrics", "energy", "glossary", "troubleshooting",
)  # fmt: skip


def page(topic: str) -> str:
    """A topic's page, in Markdown: its title, an empty line, a line that sums it up, the rest."""
    return files("neurobench.docs").joinpath(f"{topic}.md").read_text(encoding="utf-8")
