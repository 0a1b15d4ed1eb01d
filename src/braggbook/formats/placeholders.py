"""What ``braggbook new`` writes for a person to replace; nothing with it is published."""

AUTHOR = "Your Name"
NOTEBOOK_ABSTRACT = "Say in two sentences what the experiment asks and how it answers."
DATASET_ABSTRACT = "Say in a few sentences what was measured."
