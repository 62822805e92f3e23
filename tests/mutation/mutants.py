"""Mutants of a module: the same module with one operator, number, sign, boundary or negation changed.

Code that computes nothing has none: annotations, decorators, docstrings, messages and statements that raise them.
"""

import ast
from collections.abc import Iterator
from typing import Any, NamedTuple

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {"min": "max", "argmin": "argmax", "any": "all", "floor": "ceil"}
NAMES |= {other: name for name, other in NAMES.items()}
NOT_COMPUTED = {"annotation", "returns", "decorator_list", "type_params"}
SETTINGS = {"strict", "stacklevel", "frozen", "kw_only", "maxsize", "encoding"}  # keywords on which no result depends
Place = tuple[ast.AST, str, int | None]  # a node's parent, its field there, and the index in it if that is a list


class Mutant(NamedTuple):
    name: str  # function: before -> after; the second of the same name ends in "(2)"
    line: int
    function: str  # dotted, with its classes; "" outside functions and classes
    tree: ast.Module  # valid until the next mutant is requested


def mutants(source: str) -> Iterator[Mutant]:
    tree = ast.parse(source)
    seen: dict[str, int] = {}
    for place, node, function in list(_places(tree, "")):
        shown = node if isinstance(node, ast.expr) else place[0]
        before = ast.unparse(shown)
        for other in _changed(node, place[1]):
            _put(place, other)
            after = ast.unparse(other if shown is node else shown)
            name = f"{function or 'module'}: {before} -> {after}"
            seen[name] = seen.get(name, 0) + 1
            ordinal = f" ({seen[name]})" if seen[name] > 1 else ""
            yield Mutant(name + ordinal, getattr(shown, "lineno", 0), function, ast.fix_missing_locations(tree))
            _put(place, node)


def _places(node: ast.AST, function: str) -> Iterator[tuple[Place, ast.AST, str]]:
    for field, value in ast.iter_fields(node):
        if field in NOT_COMPUTED:
            continue
        for index, child in enumerate(value if isinstance(value, list) else [value]):
            if not isinstance(child, ast.AST) or _is_message(child):
                continue
            inner = getattr(child, "name", "") if isinstance(child, ast.FunctionDef | ast.ClassDef) else ""
            within = ".".join(filter(None, [function, inner]))
            yield (node, field, index if isinstance(value, list) else None), child, within
            yield from _places(child, within)


def _is_message(node: ast.AST) -> bool:
    """Whether a node is a message, or only a setting."""
    if isinstance(node, ast.keyword):
        return node.arg in SETTINGS
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert) or called in ("warnings.warn", "phase", "tracked")


def _changed(node: ast.AST, field: str) -> Iterator[ast.AST]:
    """Nodes that may replace a node."""
    if type(node) in OPERATORS:
        yield OPERATORS[type(node)]()
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _other_values(node.value)
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield ast.Name(NAMES[node.id], ast.Load())
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield ast.Attribute(node.value, NAMES[node.attr], ast.Load())
    elif isinstance(node, ast.Slice):
        if node.lower:
            yield ast.Slice(None, node.upper, node.step)
        if node.upper:
            yield ast.Slice(node.lower, None, node.step)
    if field in ("test", "ifs") and isinstance(node, ast.Name | ast.Attribute | ast.Call):
        yield ast.UnaryOp(ast.Not(), node)


def _other_values(value: Any) -> Iterator[ast.Constant]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int):
        yield ast.Constant(value + 1)
    elif isinstance(value, float):
        yield ast.Constant(2 * value or 1.0)


def _put(place: Place, node: ast.AST) -> None:
    parent, field, index = place
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node
