"""The protocol without I/O: bytes and the time go in; frames, packets and events come out.

Nothing here opens a socket, reads a clock, sleeps or draws a random number: every verb takes `now`, in seconds,
and the epoch is handed in. `alagg.engine.endpoint.Endpoint` is the door; behind it a packet meets, in this order,

- on the way out: `fragment` (split if too big), `sender` (number), `scheduler` (choose links), `header` (seal);
- on the way in: `receiver` (open, parse), `recovery` (each number once), `reorder` (in order), `fragment` (rejoin),
  `admission` (only addresses that the peer and this node may use).
"""
