"""Builds the compiled forms: the modules that have a .pxd beside them, and the edges in alagg/native.

All of them are optional: where no compiler is found, the plain form is installed, and says so when it runs. Elsewhere
than on Linux there is only the stream library, which needs none of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import customize_compiler, new_compiler
from setuptools.errors import BaseError, CCompilerError

ROOT = Path(__file__).parent
FLAGS = os.environ.get("ALAGG_CFLAGS", "-O3 -g0").split()
"""Flags of the C compiler; `make sanitize` sets others."""


LIBRARIES = {"alagg.native.seals": "libcrypto"}
"""What extensions are linked with, as pkg-config calls it."""


def extension(source: Path) -> Extension:
    """Describe the extension that is compiled from one source."""
    path = source.relative_to(ROOT)
    name = ".".join(path.with_suffix("").parts)
    return Extension(
        name,
        [str(path)],
        extra_compile_args=[*FLAGS, "-Wno-unused-function", *flags_of(LIBRARIES.get(name), "--cflags")],
        extra_link_args=[
            *(flag for flag in FLAGS if flag.startswith("-fsanitize")), *flags_of(LIBRARIES.get(name), "--libs"),
        ],
    )  # fmt: skip


def flags_of(library: str | None, kind: str) -> list[str]:
    """Give the compiler's or linker's flags for a library; without pkg-config, where a compiler looks by itself."""
    if library is None:
        return []
    try:
        told = subprocess.run(  # noqa: S603
            ["pkg-config", kind, library],  # noqa: S607 - wherever it is installed
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return [f"-l{library.removeprefix('lib')}"] if kind == "--libs" else []
    return told.split()


def compiles() -> bool:
    """Tell whether there is a C compiler that works: without one there is no sense in making sources for it."""
    with TemporaryDirectory() as place:
        source = Path(place, "source.c")
        source.write_text("int number;\n")
        try:
            compiler = new_compiler()
            customize_compiler(compiler)
            compiler.compile([str(source)], output_dir=place)
        except (CCompilerError, BaseError):
            return False
    return True


declared = (declarations.with_suffix(".py") for declarations in sorted((ROOT / "alagg").rglob("*.pxd")))
packet_path = [source for source in declared if source.exists()]
edges = sorted((ROOT / "alagg/native").glob("*.pyx"))

modules = cythonize(
    [extension(source) for source in (*packet_path, *edges)] if sys.platform == "linux" and compiles() else [],
    language_level=3,
    compiler_directives={
        # The types stand in the .pxd files; annotations are for people and mypy.
        "annotation_typing": False,
        "boundscheck": False,
        "wraparound": False,
        "initializedcheck": False,
    },
)
for module in modules:
    # Only now: cythonize makes the extensions anew and forgets this.
    module.optional = True

setup(ext_modules=modules, options={"build_ext": {"parallel": os.cpu_count()}})
