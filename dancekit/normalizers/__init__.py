"""Normalizers: move the poses of a source to the body and place of a target."""
