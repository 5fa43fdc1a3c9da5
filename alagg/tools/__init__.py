"""The Alagg frame in tools that people know: a scapy layer and a Wireshark dissector. The node needs neither."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DISSECTOR: Final = Path(__file__).with_name("alagg.lua")
"""The Wireshark dissector: `tshark -X lua_script:PATH`, or copy it to Wireshark's folder of Lua plugins."""
