"""Reference frames: pictures of the target in nearly the same pose, from which details are copied."""
