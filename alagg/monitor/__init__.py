"""Monitor: a running node in a terminal, live.

`feed` asks it, `rates` remembers, `draw` puts it in words, `app` shows.
"""
