"""A thin layer over the e2b SDK: sandboxes and what is done in them, with errors of ours.

The one place that imports ``e2b``. It may import ``settings`` and what is below it.
"""
