"""The airlock: what stands between a stranger's files and everything that we read.

Two doors, and neither lets a file through as it came unless it was named by the design. ``receive`` takes in what a
person hands in (a table, a notebook, a folder, a zip); ``predictions`` checks predictions, whether handed in or written
by a notebook, and writes them anew as the dataset ``estimate``. Rooms between them: ``incoming`` (files of a folder or
zip, nothing trusted), ``names``, ``tables``, ``masks``, ``nifti`` (headers and voxels, bounded), ``echoes`` (marks and
lines of hidden inputs), ``labels`` (names that a board shows).
"""

from braggbook.challenges.airlock.labels import clean_label
from braggbook.challenges.airlock.predictions import Checked, check_predictions
from braggbook.challenges.airlock.receive import receive_submission

__all__ = ["Checked", "check_predictions", "clean_label", "receive_submission"]
