"""`alagg doctor`: the same as `alagg check`, by the name under which people look for a diagnosis."""

from alagg.cli.check import add_arguments, run

__all__ = ["add_arguments", "run"]
