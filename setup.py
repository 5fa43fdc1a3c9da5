"""Builds the compiled forms: the modules that have a .pxd beside them, and the edges in alagg/native.

All of them are optional: where no compiler is found, the plain form is installed, and says so when it runs.
"""

from __future__ import annotations

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

ROOT = Path(__file__).parent
FLAGS = os.environ.get("ALAGG_CFLAGS", "-O3 -g0").split()
"""Flags of the C compiler; `make sanitize` sets others."""


def extension(source: Path) -> Extension:
    """Describe the extension that is compiled from one source."""
    path = source.relative_to(ROOT)
    return Extension(
        ".".join(path.with_suffix("").parts),
        [str(path)],
        extra_compile_args=[*FLAGS, "-Wno-unused-function"],
        extra_link_args=[flag for flag in FLAGS if flag.startswith("-fsanitize")],
    )


declared = (declarations.with_suffix(".py") for declarations in sorted((ROOT / "alagg").rglob("*.pxd")))
packet_path = [source for source in declared if source.exists()]
edges = sorted((ROOT / "alagg/native").glob("*.pyx"))

modules = cythonize(
    [extension(source) for source in (*packet_path, *edges)],
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
