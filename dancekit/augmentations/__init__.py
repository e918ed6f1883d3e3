"""Changes of training clips: pixels, masks and keypoints together."""
