"""How many threads: one number for torch, OpenCV and the runners, so that they do not fight for the cores."""

from __future__ import annotations


def use_threads(threads: int | None = None) -> int:
    """Set the threads of a computation for the whole process.

    OpenCV gets one: its pool would compete with the network's, and what it does here is small. Stages of a pipeline,
    and FFmpeg's decoders and encoders, run beside the network whatever is set here.

    Args:
        threads: So many; None: as torch has them, which is one a core that the process may use, or OMP_NUM_THREADS.

    Returns:
        How many.
    """
    import cv2
    import torch

    if threads is not None:
        torch.set_num_threads(threads)
    cv2.setNumThreads(1)
    return torch.get_num_threads()
