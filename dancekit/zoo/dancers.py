"""Which dancer file a word means, on the command line or in a recipe: a file, or an id of the zoo."""

from __future__ import annotations

from pathlib import Path

from dancekit.errors import UsageError


def find_dancer(word: str, *, option: str = "--dancer") -> Path:
    """The dancer file that is meant; one of the zoo is fetched if it is not here, its sha256 checked.

    What has a slash is a file; a bare word is an id, unless a file or a run folder is called so.

    Args:
        word: `runs/me/dancer.safetensors`, `demo`.
        option: What the word was given to, for messages: an option, or a place in a recipe.

    Returns:
        The file; it may not exist if the word is a path.

    Raises:
        UsageError: The folder is no run, or the id no dancer's.
        UnknownName: The zoo has no such id.
        OfflineError: It has to be fetched and cannot be.
    """
    path = Path(word)
    if path.is_file():
        return path
    inside = path / "dancer.safetensors"
    bare = "/" not in word and "\\" not in word
    if path.is_dir() and (not bare or inside.exists()):
        meant = f"did you mean {inside}?" if inside.exists() else "name a .safetensors file"
        raise UsageError(f"{option} {word} is a folder", hint=meant)
    if bare and (not path.suffix or is_zoo_id(word)):  # mira.unet_256 has what looks like a suffix
        from dancekit.zoo.index import Zoo
        from dancekit.zoo.locate import get_entry

        zoo = Zoo()
        entry = zoo.entry(word)
        if entry.kind != "dancer":
            raise UsageError(f"{option} {word} is no dancer, but {entry.title}", hint="dancekit zoo ls")
        return get_entry(zoo, entry)[0]
    return path  # whoever reads it says that it is missing


def is_zoo_id(word: str) -> bool:
    """Whether a word is an id of the zoo and nothing on the disk."""
    if Path(word).exists() or Path(word).suffix == ".safetensors" or "/" in word or "\\" in word:
        return False
    from dancekit.zoo.index import Zoo

    return any(entry.id == word for entry in Zoo().entries)
