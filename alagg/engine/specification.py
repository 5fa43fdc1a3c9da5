"""The specification of the Alagg header, version 2, written once with construct: to be read, and to test against.

The packet path uses `alagg.engine.header`, which is a hundred times faster and never imports this.
"""

from __future__ import annotations

from typing import Final

import construct

HEADER: Final = construct.Struct(
    "version_type"
    / construct.BitStruct("version" / construct.BitsInteger(4), "type" / construct.BitsInteger(4)),
    "flags_key"
    / construct.BitStruct(
        "flags" / construct.Const(0, construct.BitsInteger(4)), "key" / construct.Const(0, construct.BitsInteger(4))
    ),
    "payload_length" / construct.Int16ub,
    "epoch" / construct.Int32ub,
    "sequence" / construct.Int32ub,
    "class_lane"
    / construct.BitStruct(
        "class" / construct.Const(0, construct.BitsInteger(4)), "lane" / construct.BitsInteger(4)
    ),
    "piece" / construct.Int8ub,
    "last_piece" / construct.Int8ub,
    "link_id" / construct.Int8ub,
    "link_sequence" / construct.Int32ub,
    "checksum" / construct.Int32ub,
)
"""The header (big-endian). Its first 15 bytes are equal in all copies of a packet.

The checksum is CRC-32C (RFC 9260, appendix A) over the payload followed by the header's first 20 bytes: in this order
the copies of a packet share the payload's part.
"""


def fields() -> list[tuple[str, int]]:
    """Give each field of the header by its name, with its bits, in their order."""
    flat: list[tuple[str, int]] = []
    for field in HEADER.subcons:
        if "_" in field.name and hasattr(field.subcon, "subcon"):
            flat += [(part.name, part.sizeof()) for part in field.subcon.subcon.subcons]
        else:
            flat.append((field.name, 8 * field.sizeof()))
    return flat
