"""The ``s5lib`` command: one module per subcommand, each thin."""
