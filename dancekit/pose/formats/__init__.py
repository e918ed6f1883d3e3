"""Pose files of other programs: read as `PoseSequence`, and written so that reading gives the same again.

`files.py` finds out what a file is; there is one module a format. Folders of OpenPose's own files are in
`dancekit.pose.openpose`.
"""

from dancekit.pose.formats.files import FORMATS, Format, as_openpose, encode_poses, is_pose_file, read_poses

__all__ = ["FORMATS", "Format", "as_openpose", "encode_poses", "is_pose_file", "read_poses"]
