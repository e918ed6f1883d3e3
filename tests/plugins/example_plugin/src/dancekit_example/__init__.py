"""An example of a dancekit plugin."""
