"""Events as programs read them."""

from __future__ import annotations

import json
from datetime import datetime

from alagg.control.events import describe
from alagg.engine.events import LatentError, LinkStateChanged


def test_an_event_has_its_kind_its_time_and_its_values() -> None:
    found = describe(LinkStateChanged("office", "fibre", "silent", "the peer does not answer"), 1.5)
    time = datetime.fromisoformat(found.pop("time"))
    assert (time.timestamp(), time.tzinfo is not None) == (1.5, True)
    assert found == {
        "kind": "link_state_changed", "peer": "office", "link": "fibre", "state": "silent",
        "reason": "the peer does not answer", "text": "link fibre to office is silent: the peer does not answer",
    }


def test_every_event_passes_through_json() -> None:
    found = describe(LatentError("office", 100, 3), 0.0)
    assert json.loads(json.dumps(found)) == found
    assert found["kind"] == "latent_error"
