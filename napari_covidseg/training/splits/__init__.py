"""Which groups of each data set are held out for validation, one JSON file a modality."""
