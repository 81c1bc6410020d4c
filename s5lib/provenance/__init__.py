"""What was made from what: digests, fingerprints, manifests, locks, and files that appear whole or not at all."""

from s5lib.provenance.commit import commit
from s5lib.provenance.digest import FileStamp, Stamps, file_digest
from s5lib.provenance.files import (
    atomic_folder,
    atomic_write,
    move,
    no_empty_folders,
    remove,
    remove_scratch,
    require_replaceable,
    scratch_folder,
    write_json,
    write_text,
)
from s5lib.provenance.fingerprint import Fingerprint, problem_of, stamp_output
from s5lib.provenance.lock import folder_lock

__all__ = [
    "FileStamp",
    "Fingerprint",
    "Stamps",
    "atomic_folder",
    "atomic_write",
    "commit",
    "file_digest",
    "folder_lock",
    "move",
    "no_empty_folders",
    "problem_of",
    "remove",
    "remove_scratch",
    "require_replaceable",
    "scratch_folder",
    "stamp_output",
    "write_json",
    "write_text",
]
