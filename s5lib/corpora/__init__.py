"""Corpora that the data stage makes or completes: mini, the DCASE 2026 set, folders of your own."""
