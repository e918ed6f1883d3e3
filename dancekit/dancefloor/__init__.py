"""Rendered dancers with exact ground truth (`dancekit dancefloor`; needs the extra `[dancefloor]`).

Seeded people dance in seeded rooms; each clip comes with its keypoints, masks, planted feet and optical flow. The
way through: a `Clip` (`clips.py`) names people (`people.py`, `looks.py`), motions (`choreography.py`, `dance.py`,
`walk.py`), a room and a camera (`sets.py`); `render.py` fits the motion to the bodies (`retarget.py`, `rig.py`),
dresses them (`person.py`), draws them (`scene.py`) and writes video and truth (`truth.py`).
"""
