"""Training stages that have nothing to train fall away."""

from __future__ import annotations

from typing import Any

from dancekit.config.tree import Node, follow


def without_idle_stages(tree: Node) -> Node:
    """With `face: none` there is no face to train: its stages go, the others share their steps.

    The same goes for the recipes that are trained before.

    Args:
        tree: A recipe.

    Returns:
        The recipe whose stages no longer name the face. One that is wrong in another way comes back as is.
    """
    before, found = follow(tree, ("before",))
    if found and isinstance(before.value, list):
        tree = _replace(tree, ("before",), Node([*map(without_idle_stages, before.value)], before.place))
    face, _ = follow(tree, ("face", "name"))
    stages, depth = follow(tree, ("train", "stages"))
    if face.value != "none" or depth < 2 or not isinstance(stages.value, list):
        return tree
    kept = []
    for stage in stages.value:
        modules, found = follow(stage, ("modules",))
        if not found or not isinstance(modules.value, list) or not isinstance(stage.value, dict):
            return tree  # wrong in another way, which the schema will say
        rest = [item for item in modules.value if item.value != "face"]
        if any(item.value != "discriminator" for item in rest):
            same = {key: value for key, value in stage.value.items() if key != "judge"}
            kept.append(Node({**same, "modules": Node(rest, modules.place)}, stage.place))
    shares = [follow(stage, ("share",))[0].value for stage in kept]
    total = sum(share for share in shares if isinstance(share, int | float))
    if len(kept) == len(stages.value) or total <= 0:
        scaled = kept
    else:
        scaled = [_with_share(stage, share, total) for stage, share in zip(kept, shares, strict=True)]
    return _replace(tree, ("train", "stages"), Node(scaled, stages.place))


def _with_share(stage: Node, share: Any, total: float) -> Node:
    if not isinstance(stage.value, dict) or not isinstance(share, int | float):
        return stage
    return Node({**stage.value, "share": Node(share / total, stage.value["share"].place)}, stage.place)


def _replace(node: Node, path: tuple[str, ...], new: Node) -> Node:
    if not path or not isinstance(node.value, dict):
        return new
    return Node({**node.value, path[0]: _replace(node.value[path[0]], path[1:], new)}, node.place)
