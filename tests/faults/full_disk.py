"""Train on disks that are too small, of many sizes, so that each kind of file is once the one that does not fit.

  sudo python tests/faults/full_disk.py --folder /tmp/full_disk

The disk is a ``tmpfs`` of the size, mounted on a folder, hence root.  Each time the command has to end with status 1
and a message of its own, and what is on the disk has to load: the state to resume from, the best weights, the models.
Then the disk is enlarged, and the same command has to end like a run that had room from the beginning.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import subprocess
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).resolve().parent))
from kills import check, command, figures, finish, make_data, start


def fill(folder: Path, sizes: range) -> dict[str, int]:
    """Train on disks of these sizes, in kB; return which file did not fit how often."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    data, disk, log, progress = make_data(folder), folder / "disk", folder / "log.txt", mmap.mmap(-1, 4)
    disk.mkdir(exist_ok=True)
    finish(start(command(data, folder / "whole", 0), log, progress), log)
    whole, found = load_file(folder / "whole/model.safetensors"), {}
    for size in sizes:
        log.write_text("")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(disk)], check=True)
        try:
            expdir = disk / "exp"
            status = os.waitstatus_to_exitcode(os.waitpid(start(command(data, expdir, 0), log, progress), 0)[1])
            printed = log.read_text()
            message = [line for line in printed.splitlines() if "error: " in line]
            if status:
                well = status == 1 and len(message) == 1 and "Traceback" not in printed
                assert well, f"{size} kB, status {status}:\n{printed}"
                assert "No space left on device" in message[0], message[0]
                name = message[0].partition("error: ")[2].partition(":")[0].removeprefix(str(disk)).replace("/exp/", "")
                found[name] = found.get(name, 0) + 1
                print(f"{size} kB: {message[0].partition('error: ')[2]}".replace(str(disk), ""), flush=True)
                check(expdir, 0)
                subprocess.run(["mount", "-o", "remount,size=20m", str(disk)], check=True)
                log.write_text("")
                finish(start(command(data, expdir, 0), log, progress), log)
            else:
                found["(it fits)"] = found.get("(it fits)", 0) + 1
            final = load_file(expdir / "model.safetensors")
            assert all(torch.equal(final[key], whole[key]) for key in whole), f"{size} kB: other weights"
            assert figures(expdir) == figures(folder / "whole"), f"{size} kB: another history"
        finally:
            subprocess.run(["umount", "--lazy", str(disk)], check=True)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for the corpus and the disk")
    of_sizes = ("FIRST", "LAST", "BY")
    parser.add_argument("--sizes", type=int, nargs=3, default=[8, 450, 26], metavar=of_sizes, help="in kB")
    args = parser.parse_args()
    print(json.dumps(fill(args.folder, range(*args.sizes)), indent=1))
