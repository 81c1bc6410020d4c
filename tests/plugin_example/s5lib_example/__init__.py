"""Components of a third party, for s5lib's tests and as an example."""
