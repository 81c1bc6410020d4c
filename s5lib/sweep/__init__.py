"""The paper's experiments: many runs of `s5lib train`, `infer` and `score`, several at a time."""
