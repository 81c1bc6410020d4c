"""Options: dataclasses filled from YAML and the command line, with every value checked."""
