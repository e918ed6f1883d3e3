"""Writes a new plugin: a complete package with one component that works, its tests, and how it is used."""

from __future__ import annotations

import keyword
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dancekit.data.files import appearing_folder
from dancekit.errors import UnknownName, UsageError
from dancekit.registry import kinds, list_components
from dancekit.registry.core import did_you_mean

_TEMPLATES = Path(__file__).resolve().parent / "templates"

_USES = {
    "pose": "dancekit pose me.mp4 --out me.npz pose={name}",
    "metric": "dancekit evaluate fake.mp4 real.mp4 --protocol {document}",
    "filter": "dancekit pose me.mp4 --out me.npz --recipe {document}",
    "normalizer": "dancekit retarget dance.mp4 me.mp4 normalizer={name}",
    "runner": "dancekit transfer dance.mp4 --dancer demo --runner {name}",
}
_TRAIN = "dancekit train --target me.mp4 --recipe {document}"


@dataclass(frozen=True)
class Plugin:
    """What a new plugin is called in its several places.

    Attributes:
        name: The component's name in recipes: `acme_gan`.
        kind: Its role.
    """

    name: str
    kind: str

    @property
    def distribution(self) -> str:
        """What pip calls it."""
        return f"dancekit-{self.name.replace('_', '-')}"

    @property
    def package(self) -> str:
        """What Python imports."""
        return f"dancekit_{self.name}"

    @property
    def cls(self) -> str:
        """The component's class."""
        return "".join(part.capitalize() for part in self.name.split("_"))

    @property
    def document(self) -> str:
        """The recipe (of a metric: the protocol) that uses it, a path in its folder; "" of a runner, which has none."""
        if self.kind == "runner":
            return ""
        return f"{'protocols' if self.kind == 'metric' else 'recipes'}/{self.name}.yaml"

    def words(self) -> dict[str, Any]:
        """What templates may say."""
        use = _USES.get(self.kind, _TRAIN).format(name=self.name, document=self.document)
        return {
            "name": self.name,
            "kind": self.kind,
            "distribution": self.distribution,
            "package": self.package,
            "module": self.name,
            "cls": self.cls,
            "document": self.document,
            "article": "An" if self.kind[0] in "aeiou" else "A",
            "example": use,
        }

    def files(self) -> dict[str, str]:
        """Paths in the new folder, and the template of each."""
        document = {self.document: f"{self.kind}/recipe.yaml"} if self.document else {}
        return {
            "pyproject.toml": "common/pyproject.toml",
            "README.md": "common/README.md",
            "LICENSE": "common/LICENSE",
            ".gitignore": "common/gitignore",
            f"src/{self.package}/__init__.py": "common/init.py",
            f"src/{self.package}/py.typed": "",
            f"src/{self.package}/{self.name}.py": f"{self.kind}/component.py",
            f"tests/test_{self.name}.py": f"{self.kind}/test_component.py",
            "tests/test_contract.py": "common/test_contract.py",
            **document,
        }


def name_plugin(name: str, kind: str) -> Plugin:
    """The names of a new plugin.

    Args:
        name: What recipes will call the component; hyphens become underscores.
        kind: Its role.

    Raises:
        UnknownName: There is no such kind.
        UsageError: The name cannot be one, or is taken.
    """
    if kind not in kinds():
        raise UnknownName(
            f"there is no kind of component {kind!r}{did_you_mean(kind, list(kinds()))}",
            hint=f"the kinds are {', '.join(kinds())}",
        )
    plain = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", plain) or keyword.iskeyword(plain) or "__" in plain:
        raise UsageError(
            f"{name!r} cannot be the name of a component",
            hint="small letters, digits and underscores, a letter first, such as acme_gan",
        )
    taken = [entry.distribution for entry in list_components(kind) if entry.name == plain]
    if taken:
        raise UsageError(f"{kind} {plain!r} is a component of {taken[0]} already", hint="choose another name")
    return Plugin(plain, kind)


def write_plugin(plugin: Plugin, folder: Path) -> list[Path]:
    """Write the package; it appears whole or not at all.

    Args:
        plugin: Its names.
        folder: Where; must not exist.

    Returns:
        The files, relative to the folder.

    Raises:
        UsageError: There is something already: a plugin's folder is never replaced.
        DancekitError: It cannot be written.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="choose another --out: code is never replaced")
    with appearing_folder(folder, replace=False) as part:
        for path, template in plugin.files().items():
            target = part / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(_render(template, plugin) if template else "", encoding="utf-8")
    return [Path(path) for path in plugin.files()]


def _render(template: str, plugin: Plugin) -> str:
    from jinja2 import Environment, StrictUndefined

    # Not HTML, so nothing is escaped: what is put in are the checked names of `Plugin`.
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    text = (_TEMPLATES / f"{template}.jinja").read_text(encoding="utf-8")
    return environment.from_string(text).render(plugin.words())
