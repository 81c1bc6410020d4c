"""Simulated recording conditions, shared by ``mini`` and corpora of your own: rooms, diffuse noise, SOFA files."""
