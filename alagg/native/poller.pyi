from typing import final

from typing_extensions import Self

@final
class Poller:
    """Waits for descriptors that are readable, have failed, or have been hung up.

    Making one also lets the calling thread's timers ring to the microsecond: by default the kernel may delay them by
    50 us, to wake up less often.
    """

    def __new__(cls) -> Self: ...
    def register(self, descriptor: int) -> None:
        """Wait for a descriptor, too; one that is registered stays so.

        Raises:
            ValueError: it is negative.
        """

    def unregister(self, descriptor: int) -> None:
        """Wait no longer for a descriptor.

        Raises:
            KeyError: it is not registered.
        """

    def poll(self, seconds: float) -> list[int]:
        """Give the descriptors that are ready, in the order in which they were registered; a closed one is, too.

        Args:
            seconds: how long to wait for the first; 0 or less not at all, infinity for ever.

        Returns:
            An empty list when the time is over, or a signal came.

        Raises:
            OSError: the kernel cannot wait, such as for more descriptors than the process may have open.
            ValueError: `seconds` is not a number.
        """
