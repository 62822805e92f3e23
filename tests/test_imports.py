"""Layers of subpackages (rooms on floors): who may import whom. Lazy imports and those for type checkers count too."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).parents[1]
FLOORS = [
    {"config", "docs", "figures", "metrics"},
    {"storage", "problems"},
    {"kernels"},
    {"devices", "data"},
    {"models"},
    {"experiment", "conformance"},
    {"sweeps", "report"},
    {"cli", "api"},
    {"examples"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
SHARED = {"learner", "common"}  # may be imported by every model
# modules that compose a configuration or parse it
COMPOSE = {"cli.run", "experiment.plan", "experiment.request", "report.published", "sweeps.plan"}


def modules() -> dict[str, Path]:
    """Map dotted module names to files."""
    names = {}
    for path in sorted((ROOT / "neurobench").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(known: dict[str, Path]) -> dict[str, set[str]]:
    """Map each module to those of this package that it imports, at its top, in a function or for type checkers."""
    found: dict[str, set[str]] = {}
    for name, path in known.items():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                inner = [f"{node.module}.{alias.name}" for alias in node.names]
                names = [one if one in known else node.module for one in inner]
            found.setdefault(name, set()).update(one for one in names if one in known)
    return found


def room(module: str) -> str:
    return [*module.split("."), ""][1]


def test_no_subpackage_imports_one_of_a_higher_or_the_same_layer() -> None:
    wrong = [
        f"{one} -> {other}"
        for one, others in imports(modules()).items()
        for other in others
        if room(one) in FLOOR and room(other) in FLOOR and room(one) != room(other)
        if FLOOR[room(other)] >= FLOOR[room(one)]
    ]
    assert wrong == []


def test_models_import_neither_storage_nor_each_other() -> None:
    wrong = []
    for one, others in imports(modules()).items():
        own = one.split(".")[2] if room(one) == "models" and one.count(".") > 1 else None
        for other in others:
            sibling = room(other) == "models" and other.split(".")[2] not in {own, *SHARED}
            if own not in (None, *SHARED) and (sibling or room(other) == "storage"):
                wrong.append(f"{one} -> {other}")
    assert wrong == []


def test_imports_have_no_cycles() -> None:
    tuple(TopologicalSorter(imports(modules())).static_order())  # raises CycleError, which names the cycle


def test_every_subpackage_has_a_layer() -> None:
    rooms = {path.name for path in (ROOT / "neurobench").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(FLOOR)


def test_no_module_uses_hydra_utils_or_private_names_of_hydra_and_omegaconf() -> None:
    forbidden = ("hydra.utils", "hydra._internal", "_get_node", "_is_interpolation", "_is_none", "_set_parent")
    wrong = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in modules().values()
        for word in forbidden
        if word in path.read_text()
    ]
    assert wrong == []


def test_only_modules_that_compose_or_parse_handle_hydras_dictconfig() -> None:
    known = {name.removeprefix("neurobench.") for name, path in modules().items() if "DictConfig" in path.read_text()}
    assert {name for name in known if not name.startswith("config.")} == COMPOSE
