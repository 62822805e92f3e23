"""From sums over samples to means."""

from collections.abc import Mapping


def means(sums: Mapping[str, float], samples: int) -> dict[str, float]:
    """Figures summed over samples -> means; the mean of "correct" is called accuracy."""
    return {"accuracy" if name == "correct" else name: value / samples for name, value in sums.items()}
