"""The API against its own description: whatever is asked, the answer is one of those that it tells of."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from alagg.web.guard import Guard
from tests.web.clients import BEARER, Site

SITE = Site()
SCHEMA = schemathesis.openapi.from_asgi("/openapi.json", Guard(SITE.app, SITE.access, 7312), headers=dict(BEARER))


@SCHEMA.exclude(path="/api/v1/events").parametrize()
@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_whatever_is_asked(case: Any) -> None:
    # That a token is needed is asked below; the check does not know how to leave this one out. And what a time is
    # no schema says.
    free = [positive_data_acceptance, negative_data_rejection] if case.path == "/api/v1/history" else []
    case.call_and_validate(headers=dict(BEARER), excluded_checks=[ignored_auth, *free])


@SCHEMA.exclude(path=["/api/v1/events", "/healthz"]).parametrize()
@settings(max_examples=5, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_without_the_token_whatever_is_asked_is_refused(case: Any) -> None:
    assert case.call().status_code == 401
