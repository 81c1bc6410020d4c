"""What was made from what: digests, and files that are there as a whole or not at all."""

from s5lib.provenance.digest import file_digest
from s5lib.provenance.files import atomic_write, remove, write_text

__all__ = ["atomic_write", "file_digest", "remove", "write_text"]
