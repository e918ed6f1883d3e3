"""Weight files: hashes, headers, fetching."""
