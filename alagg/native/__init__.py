"""The compiled edges: system calls in batches, with the GIL released. Each has a plain twin in `alagg.ports`."""
