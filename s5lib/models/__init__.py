"""The models: M2D tagger, ResUNetK separator, their checkpoints.  Importing this package loads no torch.

Models are made by :func:`s5lib.plugins.create`; one file holds one model.
"""
