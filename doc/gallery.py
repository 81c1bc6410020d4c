"""Writes the gallery, doc/gallery.md and doc/gallery/*.mp3, from scenes of the corpus mini.

python doc/gallery.py egs/dcase26_s5/data/mini/test test_00003 test_00010 test_00002
"""

import sys
from pathlib import Path

import numpy as np

from s5lib.audio import encode_audio, read_audio
from s5lib.data import DataDirectory

HERE = Path(__file__).parent
HEAD = """# Gallery

Test scenes of `mini`: the mixture (channel 0 of four) and the dry sources that a system must find, label and extract.
All clips of a scene have the same gain. [`s5lib report`](report.md) makes such players for a system's output.
"""
SCENE = """
## {title}

```{{raw}} html
{rows}
```
"""
ROW = """<figure class="clip"><figcaption>{name}</figcaption>
<audio controls preload="none" src="_static/gallery/{file}"></audio></figure>"""


def main(data_dir: str, *scenes: str) -> None:
    """Write the page and its clips."""
    folder = HERE / "static/gallery"
    folder.mkdir(exist_ok=True)
    recordings = {recording.id: recording for recording in DataDirectory.read(data_dir)}
    page = HEAD
    for scene in scenes:
        recording = recordings[scene]
        clips = [("mixture", recording.mixture), *zip(recording.labels, recording.sources, strict=True)]
        read = [(name, *read_audio(entry)) for name, entry in clips]
        gain = 0.9 / max(np.abs(samples[0]).max() for _, samples, _ in read)
        rows = []
        for number, (name, samples, rate) in enumerate(read):
            file = folder / f"{scene}_{number}_{name}.mp3"
            file.write_bytes(encode_audio(gain * samples[:1], rate, "mp3"))
            rows.append(ROW.format(name=name, file=file.name))
        page += SCENE.format(title=", ".join(recording.labels), rows="\n".join(rows))
    (HERE / "gallery.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
