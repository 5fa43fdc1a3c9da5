"""The page that asks for the token: nothing of it needs to be let in, and nothing that was typed comes back."""

from __future__ import annotations

import base64
import hashlib
import re

from alagg.web import entrance


def test_policy_allows_the_one_style() -> None:
    (style,) = re.findall(r"<style>(.*?)</style>", entrance.page(), flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in entrance.POLICY
    assert entrance.POLICY.startswith("default-src 'none'")


def test_complaint_is_text() -> None:
    assert 'role="alert"' not in entrance.page()
    assert "&lt;b&gt;" in entrance.page("<b>")
