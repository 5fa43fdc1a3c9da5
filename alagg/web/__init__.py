"""The web process: a dashboard, an API, and events, for browsers and programs, without any of the node's rights.

```
 node --- control socket --- broker (root) === Door --- Source --- Hub --- app --- Guard --- Protocol --- client
```

The broker exists only where root has started `alagg web`: it opens connections to the node and says on each of them
the one word that was asked for, of those that it knows; the process that browsers talk to can ask for nothing else,
and belongs to another user. Whoever asks what, however often, the node is asked by one, at a bounded pace.
"""
