"""Counters: the one table of all that a status tells in numbers and words, and how several workers' are merged.

From it come the names, units and meanings in docs/operations.md (`python -m alagg.control.counters` writes them), the
metrics (`alagg.metrics`), the schema of a status, and the merging over workers. Whoever adds a counter to
`alagg.control.snapshot` or to an edge adds its line here, and nowhere else.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

COUNTER: Final = "counter"
"""Kind: grows from zero, and starts there anew with the node."""
GAUGE: Final = "gauge"
"""Kind: a measure that goes up and down."""
TEXT: Final = "text"
"""Kind: words."""

SUM: Final = "sum"
FIRST: Final = "first"
"""Merge: the same in all workers."""
LEAST: Final = "least"
MOST: Final = "most"
MEDIAN: Final = "median"
WEIGHED: Final = "weighed"
"""Merge: weighed by the frames that each worker, or its peer, should have got."""
SUM_KNOWN: Final = "sum of what is known"
"""Merge: the sum over the workers that know it, null where none does."""
WORST: Final = "worst"
"""Merge: what the worker says that sees it worst."""

STATES: Final = ("up", "wary", "standby", "new", "suspect", "silent", "capped", "blocked", "down")
"""Every state that a link can be in, the best first."""


class Counter(NamedTuple):
    """One line of the table."""

    name: str
    """As in `alagg status --json`; `REASON` at its end stands for any word."""
    kind: str
    unit: str
    """Of one unit of its value; empty for text."""
    help: str
    """Its meaning, in Markdown."""
    merge: str = SUM


NODE: Final = (
    Counter("version", TEXT, "", "alagg's own", FIRST),
    Counter("pid", TEXT, "", "the supervisor's process", FIRST),
    Counter("uptime_s", GAUGE, "seconds", "since the node's start", FIRST),
    Counter("engine", TEXT, "", "`compiled` or `plain`", FIRST),
    Counter("edges", TEXT, "", "the same of the edges", FIRST),
    Counter("epoch", TEXT, "", "the random number of this run that frames carry; of the first worker", FIRST),
    Counter("put_back", TEXT, "", "what other programs took away, how often, and how long ago the last time", FIRST),
    Counter("without_rules", TEXT, "", "why there are no rules, and the device captures all; empty else", FIRST),
    Counter("unreachable", TEXT, "", "peers that no link leads to, whose packets go by the host's own routes", FIRST),
    Counter("peers", TEXT, "", "each peer, with `tx` and `rx`", FIRST),
    Counter("links", TEXT, "", "each link, with `recent`", FIRST),
    Counter("workers", TEXT, "", "each worker's own `peers`, `links` and edges, where there are several", FIRST),
    Counter("capture", TEXT, "", "the edge where packets are caught", FIRST),
    Counter("injector", TEXT, "", "the edge where packets go back", FIRST),
    Counter("drops", TEXT, "", "what is lost in between", FIRST),
)
"""What is told of the node itself."""

PEER: Final = (
    Counter("name", TEXT, "", "its name in the configuration", FIRST),
    Counter("scheduler", TEXT, "", "how packets are laid on its links", FIRST),
    Counter("destinations", TEXT, "", "its addresses and networks", FIRST),
    Counter("advice", TEXT, "", "what does not fit between the two sides, in words", FIRST),
    Counter(
        "refused", TEXT, "", "source, destination and age in seconds of the last refused packet, by reason", FIRST
    ),
    Counter("tx", TEXT, "", "the way out: a table of its own", FIRST),
    Counter("rx", TEXT, "", "the way in: a table of its own", FIRST),
)
"""What is told of each peer besides the ways out and in."""

LINK: Final = (
    Counter("name", TEXT, "", "its name in the configuration", FIRST),
    Counter("peer", TEXT, "", "whom it leads to", FIRST),
    Counter("type", TEXT, "", "what it is", FIRST),
    Counter("interface", TEXT, "", "the local interface", FIRST),
    Counter("mac", TEXT, "", "the peer's address on it", FIRST),
    Counter("rate_bps", GAUGE, "bit/s", "what `rate` allows; null without it", FIRST),
    Counter(
        "state", TEXT, "",
        "`new`: the peer has not answered yet; `up`; `wary`: back after a failure, it must behave before it carries "
        "what is nowhere else; `suspect`: an answer is overdue; `silent`: can send, but the peer does not answer; "
        "`down`: cannot send; `blocked` by the operator; `standby`: not needed; `capped`: has carried all it may",
        WORST,
    ),
    Counter("reason", TEXT, "", "why it is not up", WORST),
    Counter("mtu", GAUGE, "bytes", "the interface's largest frame", LEAST),
    Counter("path_mtu", GAUGE, "bytes", "the largest frame that is known to get through", LEAST),
    Counter("sends_by", TEXT, "", "`af_xdp` or `af_packet` (see `xdp`); of several workers the slower way", WORST),
    Counter("sends_by_reason", TEXT, "", "why that way", WORST),
    Counter("rtt_ms", GAUGE, "ms", "round trip of the probes, smoothed", MEDIAN),
    Counter("jitter_ms", GAUGE, "ms", "how much that varies", MEDIAN),
    Counter("queue_ms", GAUGE, "ms", "by how much the round trip is above the shortest of late", MEDIAN),
    Counter("tx_rate_bps", GAUGE, "bit/s", "what arrives at the peer of late, as it reports; null before", SUM_KNOWN),
    Counter("capacity_bps", GAUGE, "bit/s", "what the link has shown to carry to the peer; null before", SUM_KNOWN),
    Counter("cap_bytes", GAUGE, "bytes", "what `cap` allows; null without it", FIRST),
    Counter("cap_used_bytes", GAUGE, "bytes", "carried of it, both ways, with all headers; null without it", FIRST),
    Counter("cap_until", TEXT, "", "the day on which it begins anew; null without it", FIRST),
    Counter("loss", GAUGE, "ratio", "share of the peer's frames that were lost on the link of late", WEIGHED),
    Counter("tx_loss", GAUGE, "ratio", "share of this node's frames that the peer has missed of late", WEIGHED),
    Counter("rx_expected", GAUGE, "frames", "how many frames of late `loss` is a share of"),
    Counter("tx_expected", GAUGE, "frames", "how many frames of late `tx_loss` is a share of"),
    Counter("tx_frames", COUNTER, "frames", "what went"),
    Counter("tx_bytes", COUNTER, "bytes", "what went, headers included"),
    Counter("tx_dropped_full", COUNTER, "frames", "the interface had no room; the other links carried their copies"),
    Counter("tx_dropped_down", COUNTER, "frames", "for an interface that could not send"),
    Counter("rx_frames", COUNTER, "frames", "what came"),
    Counter("rx_bytes", COUNTER, "bytes", "what came, headers included"),
    Counter(
        "rx_dropped", COUNTER, "frames",
        "the kernel dropped them on the link's interface because the node was too slow; the links over one interface "
        "share the count, so do not add it up over them",
    ),
    Counter("malformed", COUNTER, "frames", "damaged or not understood"),
    Counter(
        "malformed_REASON", COUNTER, "frames",
        "those of them with this reason: `bad_checksum`, `truncated`, `bad_length`, `unknown_version`, …",
    ),
    Counter("recent", TEXT, "", "how much of that in the last minute: the next table", FIRST),
    Counter(
        "probes_ignored", COUNTER, "frames",
        "more probes than a peer has reason to send, or on a link that is blocked or capped",
    ),
    Counter("stray_replies", COUNTER, "frames", "answers to probes that nobody sent"),
    Counter(
        "pcap_REASON", COUNTER, "frames",
        "with `--pcap`: frames that were written to the file, or found no place",
    ),
)  # fmt: skip
"""What is told of each link."""

RECENT: Final = (
    Counter("seconds", GAUGE, "seconds", "how long that was: a minute, or less in the node's first", MOST),
    Counter("tx_frames", GAUGE, "frames", "as above"),
    Counter("tx_dropped_full", GAUGE, "frames", "as above"),
    Counter("rx_frames", GAUGE, "frames", "as above"),
    Counter("rx_dropped", GAUGE, "frames", "as above"),
    Counter("malformed", GAUGE, "frames", "as above"),
)
"""How much a link's counters have grown in the last minute."""

TX: Final = (
    Counter("captured", COUNTER, "packets", "packets for it that were caught"),
    Counter("sent", COUNTER, "packets", "went out on at least one link"),
    Counter("dropped_no_link", COUNTER, "packets", "no link was there to take them"),
    Counter("dropped_full", COUNTER, "packets", "all links were full"),
    Counter("dropped_delay", COUNTER, "packets", "their flow kept packets waiting for links with a `rate` (CoDel)"),
    Counter("marked", COUNTER, "packets", "those of such flows that went on with a mark instead (ECN)"),
    Counter("dropped_too_big", COUNTER, "packets", "could not be split into as many pieces as it would take"),
    Counter("split", COUNTER, "packets", "went in several pieces"),
    Counter("waiting", GAUGE, "packets", "wait for a link with room, for 50 ms at most, or for links with a `rate`"),
)
"""What is told of the way out to each peer."""

RX: Final = (
    Counter("frames", COUNTER, "frames", "good frames that came, over all links"),
    Counter("passed", COUNTER, "packets", "first copies, accepted"),
    Counter("discarded", COUNTER, "packets", "further copies, dropped: with two good links as many as `passed`"),
    Counter("out_of_order", COUNTER, "packets", "accepted, but not in the order of their numbers"),
    Counter("rogue", COUNTER, "packets", "outside of the window, too old or too far ahead"),
    Counter("lost", COUNTER, "packets", "numbers that no link brought"),
    Counter("resets", COUNTER, "times", "the peer started anew"),
    Counter(
        "latent_errors", COUNTER, "periods",
        "copies were missing although nothing was lost: the redundancy is gone, silently",
    ),
    Counter("held", COUNTER, "packets", "waited for earlier ones"),
    Counter("late", COUNTER, "packets", "came after their gap was given up"),
    Counter("given_up", COUNTER, "packets", "were missing at the deadline, and waited for no longer"),
    Counter(
        "released_alone", COUNTER, "packets",
        "far ahead of a stream that went on below them, released by themselves",
    ),
    Counter("overflows", COUNTER, "times", "a reorder buffer ran full and was released in order"),
    Counter("crowded", COUNTER, "times", "one was released early, since those of all peers together held too much"),
    Counter("reorder_timeout_ms", GAUGE, "ms", "the deadline in force", MOST),
    Counter("pieces_joined", COUNTER, "packets", "pieces beyond the first of packets that were put together"),
    Counter(
        "joined_again", COUNTER, "packets",
        "put together more than once, since a piece came in several forms: somebody forges frames",
    ),
    Counter("pieces_waiting", GAUGE, "packets", "wait for pieces"),
    Counter("pieces_incomplete", COUNTER, "packets", "given up, pieces being missing"),
    Counter("pieces_inconsistent", COUNTER, "packets", "pieces in too many forms, or of too large a packet"),
    Counter("delivered", COUNTER, "packets", "went to the injector"),
    Counter(
        "refused_REASON", COUNTER, "packets",
        "the peer may not send them: `foreign_source`, `foreign_destination`, …; see `destinations` and `networks`. "
        "ICMP errors about packets from here may come from any router",
    ),
    Counter("probes", COUNTER, "frames", "probes of the peer"),
    Counter("replies", COUNTER, "frames", "answers to probes"),
    Counter("bad_cookie", COUNTER, "frames", "probes or answers of a wrong size"),
    Counter("control_frames", COUNTER, "frames", "in which the nodes tell each other what they see"),
    Counter("bad_control", COUNTER, "frames", "those of them that make no sense"),
    Counter("reports", COUNTER, "reports", "say what arrived of this node's frames"),
    Counter("refused_reports", COUNTER, "reports", "cannot be true: they speak of what was never sent, or go back"),
)  # fmt: skip
"""What is told of the way in from each peer; the first names are those of IEEE 802.1CB."""

CAPTURE: Final = (
    Counter(
        "captured", COUNTER, "packets",
        "came from the queues and the device, a super-packet counted as what it was cut into",
    ),
    Counter("from_device", COUNTER, "packets", "those of them that came to the device, no rule having caught them"),
    Counter("super_packets", COUNTER, "packets", "were cut"),
    Counter("dropped_queue_full", COUNTER, "packets", "the kernel dropped them because the node was too slow"),
    Counter("dropped_buffer_full", COUNTER, "packets", "as before"),
    Counter("overruns", COUNTER, "times", "the kernel said so"),
    Counter(
        "failures", COUNTER, "times",
        "reads, verdicts and bindings of the NFQUEUE that the kernel refused; each kind is told once in the log, and "
        "a queue that is lost is bound to again",
    ),
    Counter("dropped_oversize", COUNTER, "packets", "over 65,531 bytes, which the kernel hands over cut"),
    Counter("dropped_malformed", COUNTER, "packets", "not an IP packet"),
    Counter(
        "left_alone", COUNTER, "packets",
        "neighbour discovery, which is the segment's own: a rule handed it over, and it goes its way",
    ),
)  # fmt: skip
"""What is told of the edge where packets are caught."""

INJECTOR: Final = (
    Counter("injected", COUNTER, "packets", "what the host's IP stack took"),
    Counter("dropped_REASON", COUNTER, "packets", "what it refused"),
    Counter("merged", COUNTER, "packets", "segments that were merged with others of their flow"),
    Counter("super_packets", COUNTER, "packets", "into how many"),
    Counter(
        "not_captured", COUNTER, "packets",
        "were routed to the device and are lost: more came than the node could read",
    ),
)  # fmt: skip
"""What is told of the edge where packets go back."""

DROPS: Final = (
    Counter(
        "stranger", COUNTER, "frames",
        "received from an address that no link leads to, such as one that a reload has just taken out of the "
        "configuration",
    ),
    Counter(
        "stranger_REASON", COUNTER, "frames",
        "among these, of UDP links, by what became of them: `malformed`, `unknown` (of no peer that is known), "
        "`elsewhere` (of a link whose own address answers), `unproven` (the address is being asked)",
    ),
    Counter(
        "no_peer", COUNTER, "packets",
        "caught, but for no peer: a rule that catches too much, multicast, or a packet that would go back where it "
        "came from, since networks overlap",
    ),
)  # fmt: skip
"""What is lost between the edges and the peers."""

TABLES: Final = {
    "node": NODE, "peer": PEER, "link": LINK, "recent": RECENT, "tx": TX, "rx": RX, "capture": CAPTURE,
    "injector": INJECTOR, "drops": DROPS,
}  # fmt: skip
"""All of them, by the name that stands above them in a status."""

REASON: Final = "REASON"
"""The end of a name that stands for any word."""


@cache
def find(table: str, name: str) -> Counter | None:
    """Give the line of a counter; None where the table has none."""
    counters = TABLES.get(table, ())
    for counter in counters:
        if counter.name == name:
            return counter
    families = (counter for counter in counters if counter.name.endswith(REASON))
    return next((counter for counter in families if name.startswith(counter.name.removesuffix(REASON))), None)


def markdown(table: str) -> str:
    """Give a table as docs/operations.md shows it."""
    lines = ["| counter | unit | meaning |", "|---|---|---|"]
    for name, kind, unit, text, _ in TABLES[table]:
        lines.append(f"| `{name}` | {unit or kind}{' now' if kind == GAUGE and unit in _COUNTED else ''} | {text} |")
    return "\n".join(lines)


_COUNTED: Final = ("frames", "packets")
"""Units of which a gauge says how many there are now."""

if __name__ == "__main__":
    print("\n\n".join(markdown(table) for table in TABLES))  # noqa: T201
