"""Tests of the page on clusters against the options of the launchers: none is missing, none is made up."""

import re
from importlib.resources import files

from neurobench.sweeps.ray_cluster import OPTIONS
from neurobench.sweeps.sbatch import COUNTS, read_request

PAGE = files("neurobench").joinpath("docs", "clusters.md").read_text(encoding="utf-8")


def test_every_option_of_the_launchers_is_on_the_page_about_clusters() -> None:
    named = set(re.findall(r"`([a-z_]+)", PAGE))
    assert {*COUNTS, "mem_gb", "setup", "python", "additional_parameters", *OPTIONS} <= named


def test_every_option_in_the_slurm_table_of_the_page_is_accepted() -> None:
    table = PAGE.partition("## Options of `--launcher slurm`")[2].partition("What a site")[0]
    keys = [
        key for row in table.splitlines() if row.startswith("| `") for key in re.findall(r"`(\w+)`", row.split("|")[1])
    ]
    values = {"setup": ["true"], "mem_gb": 1, "python": "python3"}
    for key in keys:
        read_request({key: values.get(key, 1 if key in COUNTS else "word")})
    assert len(keys) > 15
