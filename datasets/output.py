"""One way to write a made file, or to check that the one on disk is what would be written."""

import hashlib
import pathlib
import re
import sys

README = pathlib.Path(__file__).with_name("README.md")


def check_or_write(path: pathlib.Path, content: bytes, check: bool) -> None:
    """Writes `content`, or with `check` ends the program if the file differs. Prints the sha256 either way.

    With `check`, README.md must state this sha256 too, if the file stands in its table.
    """
    digest = hashlib.sha256(content).hexdigest()
    if not check:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    elif not path.exists() or path.read_bytes() != content:
        sys.exit(f"{path} is not what this script makes (sha256 {digest})")
    elif stated(path.name) not in (None, digest):
        sys.exit(f"{README} states another sha256 of {path.name} than {digest}")
    print(f"{digest}  {path.name}")


def stated(name: str) -> str | None:
    """The sha256 that README.md's table gives for a file, if it does."""
    row = re.search(rf"^\| `{re.escape(name)}` \|.*\| `([0-9a-f]{{64}})` \|$", README.read_text("utf-8"), re.MULTILINE)
    return row and row[1]
