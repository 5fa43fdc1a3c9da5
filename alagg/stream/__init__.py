"""One reliable connection over many links, on any system; so far its core, `alagg.stream.core`."""
