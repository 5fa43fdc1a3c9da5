"""The page that asks a browser for the token; it needs no script, and nothing else that would have to be let in."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from typing import Final

from alagg.web.access import SESSION as SESSION  # noqa: PLC0414 - how long a browser stays in

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid; place-items: center;
  background: light-dark(#f6f7f9, #14171c); color: light-dark(#1b1f26, #e8eaee); }
main { width: min(22rem, 100vw - 3rem); }
h1 { font-size: 1.4rem; margin: 0 0 .25rem; }
p { margin: 0 0 1.25rem; color: light-dark(#4a5260, #b3bac6); }
p.wrong { color: light-dark(#a3161d, #ff9a94); font-weight: 600; }
label { display: block; font-weight: 600; margin-bottom: .25rem; }
input, button { box-sizing: border-box; width: 100%; font: inherit; padding: .6rem .75rem; border-radius: .4rem; }
input { border: 1px solid light-dark(#767e8c, #8b94a3); background: light-dark(#fff, #1d2127); color: inherit; }
button { margin-top: .75rem; border: 0; background: #1f5fbf; color: #fff; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid light-dark(#1f5fbf, #8db9ff); outline-offset: 2px; }
"""
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
"""Its Content-Security-Policy: this one style, and nothing else."""


def page(complaint: str = "") -> str:
    """Give the page, with what was wrong before in words."""
    wrong = f'<p class="wrong" role="alert">{escape(complaint)}</p>' if complaint else ""
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>alagg: sign in</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>alagg</h1>
<p>The token stands in the file that <code>token_file</code> names on this host.</p>
{wrong}
<form method="post" action="/login">
<label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus>
<button>Sign in</button>
</form>
</main>
</body>
</html>
"""
