"""Video in and out through PyAV: exact time, upright pictures, right colours, the source's sound."""

from dancekit.video.read import probe, read_frames
from dancekit.video.write import VideoWriter

__all__ = ["VideoWriter", "probe", "read_frames"]
