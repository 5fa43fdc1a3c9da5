"""Measures alagg: the engine's cost per packet, and the whole beside bare links and the kernel's own MPTCP.

Run it as `python -m bench` (or `make bench`). It works without being installed.
"""
