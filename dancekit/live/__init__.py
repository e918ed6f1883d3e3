"""Live: a camera's dance, painted as the target while it is danced."""

from dancekit.live.session import LiveOptions, LiveResult, run_live

__all__ = ["LiveOptions", "LiveResult", "run_live"]
