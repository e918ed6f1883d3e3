"""The web app: a dance, a dancer, a video, and trainings that one can leave and come back to. Extra `[app]`.

Nothing heavy runs in the server: a job is a folder on the disk (`jobs`), and a process of its own works on it, one at
a time (`worker`). `page` draws what stands in the folders, so that a page can be closed and opened again; `guard` and
`server` decide what a browser may ask for.
"""
