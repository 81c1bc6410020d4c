"""The version of s5lib."""

__version__ = "0.2.0"
