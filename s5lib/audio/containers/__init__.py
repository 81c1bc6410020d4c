"""What audio files hold, by their own structure rather than by what their headers promise.

libsndfile reads a truncated file as a shorter recording, and guesses the length of some MP3 files.  The scanners here
find where the samples begin and end, raise :class:`Damaged` where some are missing, and give libsndfile a corrected
header where a file is intact but its header is not.
"""

from s5lib.audio.containers.interface import Bytes, Damaged, Part, Scan
from s5lib.audio.containers.scan import scan

__all__ = ["Bytes", "Damaged", "Part", "Scan", "scan"]
