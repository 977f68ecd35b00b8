"""The main job: facts are spoken, asked in both modalities, traced, compared and put on a page."""
