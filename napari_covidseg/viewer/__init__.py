"""All that touches napari or Qt: one small module a panel, a reader, a writer."""
