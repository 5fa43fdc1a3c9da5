"""Shows results as tables; they are made of the JSON file's values, so an older run can be shown as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from bench.contestants import CEILING, REFERENCE, Share
from bench.engine import SIZES
from bench.figures import ADDED, Figure, in_order
from bench.growth_net import BASE
from bench.sheet import Sheet
from bench.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

Values = dict[str, Any]
NOTHING: Final = "-"


def sheets(values: Mapping[str, Any]) -> Iterator[Sheet]:
    """Give a table of each thing that was measured, the goals last."""
    for key, make in SHEETS.items():
        if values.get(key):
            yield from make(values[key])


# --- the contestants -----------------------------------------------------------------------------------------------


def end_to_end_sheets(contestants: Mapping[str, Values]) -> Iterator[Sheet]:
    """Show the contestants side by side: those that the goals speak of, and the other forms beside the reference."""
    main = {name: one for name, one in contestants.items() if one["share"] == Share.FULL.name}
    if main:
        yield _contestants("End to end", main)
    for share, title in ((Share.SHORT, "End to end, plain forms"), (Share.TCP, "End to end, further forms")):
        forms = {name: one for name, one in contestants.items() if one["share"] == share.name}
        if forms:
            yield _contestants(title, {**_only(main, REFERENCE), **forms})


def _only(contestants: Mapping[str, Values], name: str) -> dict[str, Values]:
    return {name: contestants[name]} if name in contestants else {}


def _contestants(title: str, contestants: Mapping[str, Values]) -> Sheet:
    names = {name for one in contestants.values() for name in one["figures"] if not name.startswith(ADDED)}
    rows = []
    for name, figure in in_order(names).items():
        cells = [_cell(one, name, figure, bare=contestant == CEILING) for contestant, one in contestants.items()]
        rows.append((figure.title, figure.unit, *cells))
    explained = "median ± half the quartiles' distance; (+) beyond bare veth; x: times kernel MPTCP's, else veth's"
    return Sheet(f"{title}: {explained}", ("", "unit", *(one["title"] for one in contestants.values())), rows,
                 words=("unit",))


def _cell(contestant: Values, name: str, figure: Figure, *, bare: bool) -> str:
    value = contestant["figures"].get(name)
    if value is None:
        return NOTHING
    at_least = "≥ " if value["rounds_capped"] * 2 > len(value["samples"]) else ""
    text = f"{at_least}{figure.show(value['median'])}"
    added = contestant["figures"].get(ADDED + name)
    if added and not bare:
        text += f" (+{figure.show(added['median'])})".replace("+-", "-")
    if figure.compared:
        text += spread(value["spread"], len(value["samples"]))
    return text if value["ratio"] is None else f"{text} x{value['ratio']:.2f}"


# --- the engine ----------------------------------------------------------------------------------------------------


def engine_sheet(engine: Values) -> Sheet:
    """Show the engine's costs, the sizes side by side."""
    rows: dict[tuple[str, int | None, int | None], dict[int | None, str]] = {}
    for case in engine["cases"]:
        key = (case["stage"], case["links"], case["batch"])
        rows.setdefault(key, {})[case["size"]] = of(case["samples"], 1e6, 2)
    return Sheet(
        f"The engine ({engine['form']}): µs per packet, median ± half the quartiles' distance",
        ("stage", "links", "batch", "any size", *(f"{size} bytes" for size in SIZES)),
        [(stage, str(links or ""), str(batch or ""), *(cells.get(size, "") for size in (None, *SIZES)))
         for (stage, links, batch), cells in rows.items()],
    )


def growth_sheet(growths: Sequence[Values]) -> Sheet:
    """Show what a packet costs in the engine as things grow."""
    rows = []
    for one in growths:
        out, into = (of(one[side], 1e6, 2) for side in ("out", "in"))
        rows.append((one["axis"], one["value"], out, into, f"{one['relative']:.2f}"))
    return Sheet("Growth, the engine alone: µs per packet; x: to the base", ("what grows", "to", "out", "in", "x"),
                 rows)


def growth_net_sheet(ways: Sequence[Values]) -> Sheet:
    """Show what TCP costs end to end as things grow."""
    medians = {(one["axis"], one["value"]): summarise(one["cpu_s_per_gb"]).median for one in ways}
    rows = []
    for one in ways:
        key, base = (one["axis"], one["value"]), medians.get((one["axis"], BASE.get(one["axis"], 1)))
        rows.append((one["axis"], f"{one['value']:,}", of(one["bit_per_s"], 1e-6), of(one["cpu_s_per_gb"], 1, 2),
                     f"{medians[key] / base:.2f}" if base else NOTHING))
    return Sheet("Growth, end to end: round-robin; two links, one flow, one peer but for what grows; x: cost to that",
                 ("what grows", "to", "Mbit/s", "s/GB", "x"), rows)


# --- the rest ------------------------------------------------------------------------------------------------------


def loss_sheet(lossy: Sequence[Values]) -> Sheet:
    """Show what is left when links lose frames."""
    rows = []
    for one in lossy:
        lost = f"{summarise(one['lost']).median:.2%}" if one["lost"] else NOTHING
        expected = NOTHING if one["expected_lost"] is None else f"{one['expected_lost']:.2%}"
        rows.append((one["title"], f"{one['link_loss']:.0%}", of(one["bit_per_s"], 1e-6, 1), lost, expected))
    rates = {one["link_bit_per_s"] / 1e6 for one in lossy}
    return Sheet(f"Losses, end to end: links of {', '.join(f'{rate:g}' for rate in rates)} Mbit/s",
                 ("", "each link loses", "TCP, Mbit/s", "datagrams lost", "to be expected"), rows)


def soak_sheet(soak: Values) -> Sheet:
    """Show what a node's memory did for minutes."""
    held = soak["memory_bytes"]
    row = (f"{soak['minutes']:g}", f"{soak['bit_per_s'] / 1e6:,.0f}", f"{max(held) / 1e6:.1f}",
           f"{soak['growth_bytes'] / 1e6:+.2f}")
    return Sheet("Soak: redundant on two links at full speed; growth from the second tenth of the time to the last",
                 ("minutes", "Mbit/s", "MB at most", "growth, MB"), [row])


def goal_sheet(rows: Sequence[Values]) -> Sheet:
    """Show the goals, and what was measured."""
    return Sheet("Goals, all in this run", ("what", "goal", "measured", "verdict"),
                 [(row["what"], row["goal"], _measured(row), row["verdict"]) for row in rows], words=("verdict",))


def _measured(row: Values) -> str:
    if row["measured"] is None:
        return NOTHING
    digits = 3 if row["unit"] == "µs" else 2
    return f"{row['measured']:.{digits}f} {row['unit']}{spread(row['spread'], row['repeats'])}"


def of(samples: Sequence[float], scale: float = 1.0, digits: int = 0) -> str:
    """Write the median and its spread."""
    summary = summarise(samples)
    return f"{summary.median * scale:,.{digits}f}{spread(summary.spread, len(samples))}"


def spread(share: float, repeats: int) -> str:
    """Write a spread; one sample has none."""
    return f" ±{share:.0%}" if repeats > 1 else ""


SHEETS: Final[dict[str, Callable[[Any], Iterable[Sheet]]]] = {
    "engine": lambda values: [engine_sheet(values)],
    "growth": lambda values: [growth_sheet(values)],
    "end_to_end": end_to_end_sheets,
    "growth_end_to_end": lambda values: [growth_net_sheet(values)],
    "loss_end_to_end": lambda values: [loss_sheet(values)],
    "soak": lambda values: [soak_sheet(values)],
    "goals": lambda values: [goal_sheet(values)],
}
"""What makes the tables of each thing in the JSON file."""

