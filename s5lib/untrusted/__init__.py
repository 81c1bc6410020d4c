"""Reading what strangers wrote: every parser of s5lib, its limits, and the checks of names and values that follow.

Files come from the network, from colleagues and from damaged disks.  What comes out of here is bounded, finite, valid
text; errors name file, place, value and what was expected.  Nothing outside this package parses JSON or YAML, which
``tests/untrusted/test_one_room.py`` holds up.  ``doc/security.md`` lists the guarantees.
"""

from s5lib.untrusted.documents import (
    open_regular,
    parse_json,
    parse_yaml,
    read_bytes,
    read_json,
    read_json_lines,
    read_text,
    read_yaml,
    to_json,
)
from s5lib.untrusted.names import check_file_name, is_file_name, path_below
from s5lib.untrusted.record import Record, is_number, is_real, json_record, yaml_record
from s5lib.untrusted.text import as_markdown, failure, printable, reason, shown

__all__ = [
    "Record",
    "as_markdown",
    "check_file_name",
    "failure",
    "is_file_name",
    "is_number",
    "is_real",
    "json_record",
    "open_regular",
    "parse_json",
    "parse_yaml",
    "path_below",
    "printable",
    "read_bytes",
    "read_json",
    "read_json_lines",
    "read_text",
    "read_yaml",
    "reason",
    "shown",
    "to_json",
    "yaml_record",
]
