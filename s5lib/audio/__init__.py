"""The only package that opens or writes sound."""
