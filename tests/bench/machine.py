"""The machine on which a benchmark of kernels runs: the first line that it prints."""

from neurobench.kernels.host import WIDTH
from neurobench.storage.provenance import cores, provenance


def print_machine() -> None:
    processor = provenance("cpu", 1)["processor"]
    print(f"{processor}, {cores()} cores; compiled kernels use registers of {WIDTH} bits", flush=True)
