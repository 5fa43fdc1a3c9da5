"""History: what links and peers did, for a day by the second and for a year by the hour, in one SQLite file.

`Writer` keeps it, in a process that moves no packets and that nobody waits for; `Store` reads it, from anywhere;
`Look` makes its rows of what a node says of itself; `report` puts it in words.
"""

from alagg.history.store import Store as Store
