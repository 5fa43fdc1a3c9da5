"""Runs a test on asyncio and on trio, but not forever."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


def on_both(test: Callable[[], Awaitable[None]]) -> Any:
    """Have a coroutine function be a test on each backend."""

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def run(backend: str) -> None:
        async def limited() -> None:
            with anyio.fail_after(20):
                await test()

        anyio.run(limited, backend=backend)

    return run
