"""A kernel rounds the same way whichever kernel calls it.

One that does not declare `fastmath` takes that of the caller that is compiled first, and all other callers use it too
(numba's `Flags.inherit_if_not_set`), in this process and, through the cache, in later ones.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import neurobench.kernels

FOLDER = Path(neurobench.kernels.__file__).parent
PLAIN = "False"
Name = tuple[str, str]  # module, function


class Kernel(NamedTuple):
    fastmath: str | None  # as written in the source
    uses: set[Name]


def kernels(file: Path) -> Iterator[tuple[Name, Kernel]]:
    module = ".".join(file.relative_to(FOLDER.parents[1]).with_suffix("").parts)
    tree = ast.parse(file.read_text())
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    origin = {each.asname or each.name: (node.module or "", each.name) for node in imports for each in node.names}
    for node in tree.body:
        made = [each for each in getattr(node, "decorator_list", ()) if ast.unparse(each).startswith("njit")]
        if isinstance(node, ast.FunctionDef) and made:
            words = {word.arg: ast.unparse(word.value) for word in getattr(made[0], "keywords", ())}
            names = {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
            yield (
                (module, node.name),
                Kernel(words.get("fastmath"), {origin.get(each, (module, each)) for each in names}),
            )


def roundings(found: dict[Name, Kernel]) -> dict[Name, set[str]]:
    """Values of `fastmath` with which each kernel may be compiled."""
    callers = {name: [each for each in found if name in found[each].uses - {each}] for name in found}
    ways = {
        name: {kernel.fastmath or PLAIN} if kernel.fastmath or not callers[name] else set()
        for name, kernel in found.items()
    }
    for _ in found:
        for name, kernel in found.items():
            if kernel.fastmath is None:
                ways[name] |= {way for caller in callers[name] for way in ways[caller]}
    return ways


def test_no_kernel_takes_its_rounding_from_whichever_caller_comes_first() -> None:
    found = dict(each for file in FOLDER.rglob("*.py") for each in kernels(file))
    assert len(found) > 100
    assert {name: ways for name, ways in roundings(found).items() if len(ways) > 1} == {}


def test_a_kernel_that_takes_its_rounding_from_its_caller_is_detected() -> None:
    step, fused, exact = ("m", "step"), ("m", "fused"), ("m", "exact")
    found = {step: Kernel(None, set()), fused: Kernel("{'contract'}", {step}), exact: Kernel(None, {step})}
    assert roundings(found)[step] == {"{'contract'}", PLAIN}
