"""One HTML file from templates: everything inside, every text escaped, nothing that could reach the network."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, *, styles: Sequence[str], scripts: Sequence[str], data: Any, **context: Any) -> str:
    """Fill in a template.

    The page's content security policy allows this script and this style by their hashes, pictures from `data:`
    and videos from `blob:`, and nothing else: text that came with a file cannot run, nor fetch.

    Args:
        template: File in `templates`; it prints `policy`, `style`, `script` and `data` in its head and foot.
        styles: Files in `templates`, joined.
        scripts: Files in `templates`, joined into one function.
        data: JSON for the scripts, found in `#data`.
        context: What the template prints; text is escaped.
    """
    environment = Environment(
        loader=FunctionLoader(_read),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = "\n" + "\n".join(_read(name) for name in styles)
    script = '\n(function () {\n"use strict";\n' + "\n".join(_read(name) for name in scripts) + "\n})();\n"
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "img-src data:; media-src blob:; base-uri 'none'; form-action 'none'"
    )
    own = {"style": Markup(style), "script": Markup(script)}  # noqa: S704 - our own files
    return environment.get_template(template).render(policy=policy, data=embed_json(data), **own, **context)


def embed_json(data: Any) -> Markup:
    """JSON that cannot end its script element, whatever its strings hold.

    Raises:
        ValueError: A number is not finite.
    """
    text = json.dumps(data, allow_nan=False, separators=(",", ":"), ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - escaped above


def _read(name: str) -> str:
    return (resources.files(__package__) / "templates" / name).read_text("utf-8")


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")
