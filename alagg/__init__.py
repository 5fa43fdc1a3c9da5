"""alagg joins hosts over several network links at once.

Follow a packet through the folders: `alagg.ports` captures it and puts its frames on the links,
`alagg.engine` decides everything in between without doing any I/O, `alagg.worker` is the loop that joins
the two, and `alagg.node` looks after the host around them.
"""

from alagg import form

__version__ = "0.1.0"

form.obey_environment()
