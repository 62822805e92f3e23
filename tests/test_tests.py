"""Promises of the tests themselves: each run draws the same numbers, and importing them reads no data set."""

import ast
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
FILES = [path for path in sorted(HERE.rglob("*.py")) if "bench" not in path.parts]
DRAWS = {"torch.rand", "torch.randn", "torch.randint", "torch.randperm", "torch.bernoulli", "torch.multinomial"}
SEEDED = {"test_training_leaves_torchs_global_generator_unchanged", "test_a_resumed_run_repeats_an_uninterrupted_one"}


def statements() -> Iterator[tuple[str, ast.stmt]]:
    """Top-level statements of every test module, with the module's path."""
    for path in FILES:
        for node in ast.parse(path.read_text()).body:
            yield str(path.relative_to(HERE)), node


def calls(node: ast.AST, names: set[str]) -> Iterator[tuple[ast.Call, str]]:
    """Calls of methods and module functions with one of these names, with the full name."""
    for each in ast.walk(node):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in names:
            yield each, ast.unparse(each.func)


def test_tests_draw_random_numbers_from_seeded_generators_only() -> None:
    wrong = []
    for path, node in statements():
        if getattr(node, "name", "") in SEEDED:  # these tests are about torch's global generator
            continue
        for call, name in calls(node, {name.partition(".")[2] for name in DRAWS} | {"default_rng"}):
            if name in DRAWS and all(keyword.arg != "generator" for keyword in call.keywords):
                wrong.append(f"{path}:{call.lineno} {name} without a generator")
            if name.endswith("default_rng") and not call.args:
                wrong.append(f"{path}:{call.lineno} a generator without a seed")
    assert wrong == []


def test_no_data_set_is_read_at_import() -> None:
    wrong = [
        f"{path}:{call.lineno}"
        for path, node in statements()
        if not isinstance(node, ast.FunctionDef | ast.ClassDef)
        for call, name in calls(node, {"load"})
        if "dataset/" in name
    ]
    assert wrong == []
