"""The order of rooms: who may import whom. Lazy imports and those for type checkers count like any other."""

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
SHARED = {"learner", "common"}  # among models
COMPOSE = {"cli.run", "experiment.plan", "experiment.request", "report.published", "sweeps.plan"}  # or parse


def modules() -> dict[str, Path]:
    """Dotted name of each module -> file."""
    names = {}
    for path in sorted((ROOT / "neurobench").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def imports(known: dict[str, Path]) -> dict[str, set[str]]:
    """Module -> those of ours that it imports, at its top, in a function or for type checkers."""
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


def test_no_room_imports_one_above_it_or_beside_it() -> None:
    wrong = [
        f"{one} -> {other}"
        for one, others in imports(modules()).items()
        for other in others
        if room(one) in FLOOR and room(other) in FLOOR and room(one) != room(other)
        if FLOOR[room(other)] >= FLOOR[room(one)]
    ]
    assert wrong == []


def test_models_know_neither_storage_nor_each_other() -> None:
    wrong = []
    for one, others in imports(modules()).items():
        own = one.split(".")[2] if room(one) == "models" and one.count(".") > 1 else None
        for other in others:
            sibling = room(other) == "models" and other.split(".")[2] not in {own, *SHARED}
            if own not in (None, *SHARED) and (sibling or room(other) == "storage"):
                wrong.append(f"{one} -> {other}")
    assert wrong == []


def test_no_module_imports_itself_by_a_detour() -> None:
    tuple(TopologicalSorter(imports(modules())).static_order())  # raises CycleError, which names the circle


def test_every_room_has_its_floor() -> None:
    rooms = {path.name for path in (ROOT / "neurobench").iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms == set(FLOOR)


def test_only_hydra_composes_and_nothing_of_it_makes_an_object() -> None:
    forbidden = ("hydra.utils", "hydra._internal", "_get_node", "_is_interpolation", "_is_none", "_set_parent")
    wrong = [
        f"{path.relative_to(ROOT)}: {word}"
        for path in modules().values()
        for word in forbidden
        if word in path.read_text()
    ]
    assert wrong == []


def test_what_hydra_composed_is_handed_on_to_nothing_behind_parse() -> None:
    known = {name.removeprefix("neurobench.") for name, path in modules().items() if "DictConfig" in path.read_text()}
    assert {name for name in known if not name.startswith("config.")} == COMPOSE
