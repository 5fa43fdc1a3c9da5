"""Keys: who a node is, whom it trusts, and how two nodes agree on secrets.

`identity` makes keys and X.509 certificates, `files` reads and writes them, `trust` says which certificates are a
peer's, `handshake` is TLS 1.3 without sockets. Nothing here knows frames or links.
"""
