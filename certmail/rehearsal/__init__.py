"""The main job on an embedded default, for a first minute without any account."""
