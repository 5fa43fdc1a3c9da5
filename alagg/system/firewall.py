"""Firewalls: which chains refuse what comes in by the node's device, as far as that can be seen without sending.

Both worlds are looked at, whoever set them up: the legacy tables, and nftables, in which iptables-nft, ufw and
firewalld live. A chain that refuses all that it does not name, in a table that never names the device, is told.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alagg.system import HostError, peek

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.system.rules import Family

_NAMES: Final[dict[Family, Path]] = {4: Path("/proc/net/ip_tables_names"), 6: Path("/proc/net/ip6_tables_names")}
"""The legacy tables that exist; to ask for another one would make it."""
_HOOKS: Final = {"INPUT": 1, "FORWARD": 2}
_FAMILIES: Final = (1, 2, 10)
"""Families of nftables' tables that see IP: inet, ip, ip6 (NFPROTO_…)."""
_NF_DROP: Final = 0


def refusing(hook: str, device: str) -> list[str]:
    """Say where a chain of a hook, `INPUT` or `FORWARD`, refuses what no rule lets in, and none names the device."""
    return [*_legacy(hook, device), *_nftables(hook, device)]


def _legacy(hook: str, device: str) -> Iterator[str]:
    for family, path in _NAMES.items():
        with suppress(OSError, HostError):
            if "filter" in path.read_text(encoding="ascii").split():
                refuses, names = peek.refuses(family, "filter", hook, device)
                if refuses and not names:
                    yield f"{'iptables' if family == 4 else 'ip6tables'}-legacy, table filter, chain {hook}"


def _nftables(hook: str, device: str) -> Iterator[str]:
    chains, rules = _ruleset()
    for chain in chains:
        place = _attribute(chain, "NFTA_CHAIN_HOOK")
        if place is None or chain["nfgen_family"] not in _FAMILIES:
            continue
        if _attribute(place, "NFTA_HOOK_HOOKNUM") != _HOOKS[hook]:
            continue
        table, name = _attribute(chain, "NFTA_CHAIN_TABLE"), _attribute(chain, "NFTA_CHAIN_NAME")
        its = [rule for rule in rules if _attribute(rule, "NFTA_RULE_TABLE") == table]
        mine = [rule for rule in its if _attribute(rule, "NFTA_RULE_CHAIN") == name]
        refuses = _attribute(chain, "NFTA_CHAIN_POLICY") == _NF_DROP or any(map(_refuses_all, mine))
        if refuses and not any(_names(rule, device) for rule in its):
            yield f"nftables (iptables-nft, ufw, firewalld), table {table}, chain {name}"


def _ruleset() -> tuple[list[Any], list[Any]]:
    """Give all chains and rules of nftables; none where the kernel has none."""
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415 - see alagg.system.netlink
    from pyroute2.nftables.main import NFTables  # noqa: PLC0415

    try:
        tables = NFTables(nfgen_family=0)
    except (OSError, NetlinkError):
        return [], []
    try:
        return list(tables.get_chains()), list(tables.get_rules())
    except (OSError, NetlinkError):
        return [], []
    finally:
        tables.close()


def _attribute(message: Any, name: str) -> Any:
    return next((value for key, value in message["attrs"] if key == name), None)


def _refuses_all(rule: Any) -> bool:
    """Tell whether a rule drops or rejects without a condition; counters and logs are none."""
    names = [_attribute(one, "NFTA_EXPR_NAME") for one in _attribute(rule, "NFTA_RULE_EXPRESSIONS") or ()]
    words = [name for name in names if name not in ("counter", "log", "limit")]
    if words == ["immediate"]:
        return "NF_DROP" in str(rule)
    return words == ["reject"] or (words == ["target"] and any(word in str(rule) for word in ("REJECT", "DROP")))


def _names(rule: Any, device: str) -> bool:
    """Tell whether a rule names the device, or the beginning of its name (`alagg+`)."""
    text = str(rule)
    whole = repr(device.encode() + b"\0")
    parts = (repr(device.encode()[:length])[:-1] for length in range(3, len(device) + 1))
    return "IIFNAME" in text and (whole in text or any(f"{part}'" in text for part in parts))
