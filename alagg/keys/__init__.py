"""Keys: who a node is, whom it trusts, how two nodes agree on secrets, and what these seal.

`identity` makes keys and X.509 certificates, `files` reads and writes them, `trust` says which certificates are a
peer's. `handshake` is TLS 1.3 without sockets, over `pieces` that `ordered` puts in their order; `exchanges` are all
handshakes of a node, within `limits`; `schedule` has the keys that follow. `seals` seals and opens frames.
"""
