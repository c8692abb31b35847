"""The archive, the same bytes for the same content: in order, of nobody, at one time."""

import gzip
import io
import pathlib
import subprocess
import tarfile

from crates import ROOT

# What goes in, as it is in the repository; nothing that Git does not know is packed.
FOLDERS = ["rules", "deploy", "docs", "README.md", "LICENSE-APACHE", "LICENSE-MIT"]
MODEL = ["datasets/README.md", "datasets/cardio.onnx", "datasets/cardio.inputs.json", "datasets/cardio.json"]


def files():
    """Path in the archive to the file on disk."""
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", *FOLDERS, *MODEL], check=True, capture_output=True)
    names = [name for name in listed.stdout.decode().split("\0") if name]
    return {name: ROOT / name for name in names}


def commit_time():
    """Seconds since 1970 of the commit that is packed."""
    told = subprocess.run(["git", "-C", ROOT, "log", "-1", "--format=%ct"], check=True, capture_output=True, text=True)
    return int(told.stdout)


def is_program(path):
    return bool(path.stat().st_mode & 0o100)


def archive(folder, entries, time):
    """The bytes; `entries` are the path below `folder` to a file on disk, or to a text."""
    packed = io.BytesIO()
    # No name and no time in gzip's own header.
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=9, mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(entries):
                content = entries[name]
                on_disk = isinstance(content, pathlib.Path)
                content_bytes = content.read_bytes() if on_disk else content.encode()
                entry = tarfile.TarInfo(f"{folder}/{name}")
                entry.size, entry.mtime = len(content_bytes), time
                entry.mode = 0o755 if on_disk and is_program(content) else 0o644
                tar.addfile(entry, io.BytesIO(content_bytes))
    return packed.getvalue()
