"""Loops over neurons with several arrays: vector code throughout, written as the equation of one neuron.

For such a loop, LLVM's vector code checks at each call whether its arrays overlap, and leaves up to a third of 150
neurons to a scalar loop at the end.
"""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils

from neurobench.kernels.eprop.simd import array, register_loop
from neurobench.kernels.vectors import INDEX, load, spread, vector


class Lanes:
    """Floating-point numbers, one per neuron. `fused`: a product and a sum may be rounded only once."""

    def __init__(self, builder: Any, value: Any, fused: bool):
        self.builder, self.value, self.flags = builder, value, ("contract",) if fused else ()
        self.fused = fused

    def __add__(self, other: "Lanes") -> "Lanes":
        return self._of(self.builder.fadd(self.value, other.value, flags=self.flags))

    def __sub__(self, other: "Lanes") -> "Lanes":
        return self._of(self.builder.fsub(self.value, other.value, flags=self.flags))

    def __mul__(self, other: "Lanes") -> "Lanes":
        return self._of(self.builder.fmul(self.value, other.value, flags=self.flags))

    def __ge__(self, other: "Lanes") -> Any:
        """One bit per lane, for `where` and `Column.set`."""
        return self.builder.fcmp_ordered(">=", self.value, other.value)

    def __abs__(self) -> "Lanes":
        return self._of(self.builder.select(self >= self.like(0.0), self.value, self.builder.fneg(self.value)))

    def like(self, number: float) -> "Lanes":
        kind = self.value.type
        return self._of(ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number))

    def where(self, condition: Any) -> "Lanes":
        """Numbers of the lanes where the condition holds; 0 elsewhere."""
        return self._of(self.builder.select(condition, self.value, self.like(0.0).value))

    def _of(self, value: Any) -> "Lanes":
        return Lanes(self.builder, value, self.fused)


class Column:
    """Elements of an array at the neurons being processed."""

    def __init__(self, builder: Any, array: Any, place: Any, lanes: int, fused: bool):
        self.builder, self.array, self.place, self.lanes, self.fused = builder, array, place, lanes, fused

    def get(self) -> Lanes:
        return Lanes(self.builder, load(self.builder, self.array, self.place, self.lanes), self.fused)

    def bits(self) -> Any:
        """One bit per element of an integer array: whether it is not 0."""
        loaded = load(self.builder, self.array, self.place, self.lanes)
        return self.builder.icmp_unsigned("!=", loaded, ir.Constant(loaded.type, None))

    def count(self, bits: Any) -> None:
        """Add 1 to the elements of an integer array whose bits are set."""
        loaded = load(self.builder, self.array, self.place, self.lanes)
        grown = self.builder.add(loaded, self.builder.zext(bits, loaded.type))
        at = self.builder.gep(self.array.data, [self.place])
        self.builder.store(grown, self.builder.bitcast(at, grown.type.as_pointer()), align=1)

    def set(self, value: Any) -> None:
        """Store Lanes, or bits in an array of uint8."""
        at = self.builder.gep(self.array.data, [self.place])
        if not isinstance(value, Lanes):
            bits = self.builder.zext(value, vector(at.type.pointee, self.lanes))
        stored = value.value if isinstance(value, Lanes) else bits
        self.builder.store(stored, self.builder.bitcast(at, stored.type.as_pointer()), align=1)


def elementwise(
    step: Callable[..., Any], lanes: int, fused: bool = False, bits: int | None = None
) -> Callable[..., Any]:
    """Code of an intrinsic that calls step(*arguments) for all neurons of the first array, `lanes` at a time.

    It passes an array as a `Column`, a number as `Lanes`, a NamedTuple as a namespace of the latter. bits: position of
    an argument, an array of uint64 not passed to step, that receives its results, one bit per neuron.
    """

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pairs = list(zip(signature.args, args, strict=True))
        words = None if bits is None else array(context, builder, *pairs.pop(bits))
        first = next(pair for pair in pairs if isinstance(pair[0], types.Array))
        (count,) = cgutils.unpack_tuple(builder, array(context, builder, *first).shape)
        begin, word = ir.Constant(INDEX, 0), ir.Constant(INDEX, 0)
        for width in _widths(lanes):

            def several(vector: Any, carried: Any, begin: Any = begin, width: int = width) -> Any:
                place = builder.add(begin, builder.mul(vector, ir.Constant(INDEX, width)))
                of_each = step(*(_argument(context, builder, *pair, place, width, fused) for pair in pairs))
                return carried if words is None else [_collected(builder, words, carried[0], of_each, place)]

            vectors = builder.sdiv(builder.sub(count, begin), ir.Constant(INDEX, width))
            (word,) = register_loop(builder, ir.Constant(INDEX, 0), vectors, [word], several)
            begin = builder.add(begin, builder.mul(vectors, ir.Constant(INDEX, width)))
        return context.get_dummy_value()

    return emit


def _collected(builder: Any, words: Any, word: Any, bits: Any, place: Any) -> Any:
    """Word of 64 bits that contains `place`, with bits from there on, also stored: it is stored whole, as it will be
    read, because a processor would have to wait for parts of it."""
    number = builder.zext(builder.bitcast(bits, ir.IntType(_lanes(bits.type))), INDEX)
    inside = builder.and_(place, ir.Constant(INDEX, 63))
    begun = builder.select(builder.icmp_unsigned("==", inside, ir.Constant(INDEX, 0)), ir.Constant(INDEX, 0), word)
    word = builder.or_(begun, builder.shl(number, inside))
    builder.store(word, builder.gep(words.data, [builder.lshr(place, ir.Constant(INDEX, 6))]))
    return word


def _lanes(kind: Any) -> int:
    return int(kind.count) if isinstance(kind, ir.VectorType) else 1


def _widths(lanes: int) -> Iterable[int]:
    while lanes:
        yield lanes
        lanes //= 2


def _argument(context: Any, builder: Any, kind: Any, value: Any, place: Any, width: int, fused: bool) -> Any:
    if isinstance(kind, types.Array):
        return Column(builder, array(context, builder, kind, value), place, width, fused)
    if isinstance(kind, types.BaseNamedTuple):
        parts = zip(kind.fields, kind.types, cgutils.unpack_tuple(builder, value), strict=True)
        floats = ((name, part) for name, each, part in parts if isinstance(each, types.Float))
        return SimpleNamespace(**{n: Lanes(builder, spread(builder, part, width), fused) for n, part in floats})
    return Lanes(builder, spread(builder, value, width), fused)
