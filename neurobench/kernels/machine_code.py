"""Machine code for the kernels that Python calls, and only for these.

Numba generates machine code for every function that it compiles, also for those that only other kernels call; these
kernels contain a copy. A run compiles some 150 functions, of which Python calls six: code for the others takes a
quarter of the compile time.
"""

from __future__ import annotations

from typing import Any

from numba.core import codegen
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen
from numba.core.environment import lookup_environment

_ENVIRONMENT = "_ZN08NumbaEnv"  # prefix of the variables that point to a function's Python objects


class Library(JITCodeLibrary):
    """Functions whose machine code is generated when an address is first requested."""

    _generated = False

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        if not self._generated and any(one.name == name for one in self.get_defined_functions()):
            self._generate()
        return int(super().get_pointer_to_function(name))

    def _finalize_final_module(self) -> None:
        if getattr(self, "_compiled_object", None) is not None:  # machine code from the cache
            self._generate()
        else:
            self._finalize_dynamic_globals()
            self._finalized = True

    def _generate(self) -> None:
        self._generated = True
        self._dynamic_globals.clear()  # super() lists them again
        super()._finalize_final_module()
        for variable in self._final_module.global_variables:
            environment = lookup_environment(variable.name) if variable.name.startswith(_ENVIRONMENT) else None
            if environment is not None:
                self._codegen.set_env(variable.name, environment)

    def serialize_using_object_code(self) -> Any:
        """Contents for the cache: machine code if generated, otherwise the optimised code that kernels copy."""
        self._ensure_finalized()
        return super().serialize_using_object_code() if self._generated else self.serialize_using_bitcode()


class Generator(JITCPUCodegen):
    """Numba's code generator, with libraries of this kind."""

    _library_class = Library

    def set_env(self, env_name: str, env: Any) -> None:
        """Point a function's variable to its Python objects, once it has an address."""
        if self._engine.is_symbol_defined(env_name):
            super().set_env(env_name, env)


def generate_when_called() -> None:
    """Make numba use `Generator`, unless it has compiled something already."""
    codegen.JITCPUCodegen = Generator
