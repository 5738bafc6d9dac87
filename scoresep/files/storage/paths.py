"""Names and places of files: names that every system accepts, opening what is a plain file, and the system's bin.

Only plain files are opened: a pipe makes its reader wait for ever, and a device may never end.

References
----------
Microsoft, "Naming Files, Paths, and Namespaces" (Win32), for the characters and names that Windows reserves.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import string
import sys
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import BinaryIO

from scoresep.errors import OutputError, UsageError

# How text is written that is none in UTF-8 (names of files in old encodings, halves of characters): \\udc80 for U+DC80,
# which JSON reads back as it was.
ESCAPED = "backslashreplace"
MAX_NAME_BYTES = 120  # leaves room for counters and endings within the 255 bytes of most file systems
_FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\.|$)", re.IGNORECASE)


def safe_name(text: str, fallback: str = "Part") -> str:
    """Make a file name (without ending) of any text.

    Characters that some system forbids become ``-``; dots and spaces at the ends go; names that Windows reserves get a
    ``_`` behind; long names are cut.

    Returns
    -------
    name : str
        Never empty, at most `MAX_NAME_BYTES` bytes of UTF-8; `safe_name` leaves it as it is.
    """
    printable = "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) not in ("Cs", "Cf"))
    name = " ".join(_FORBIDDEN.sub("-", printable).split())
    name = name.encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(" .")
    if _RESERVED.match(name):
        stem, dot, rest = name.partition(".")
        name = f"{stem}_{dot}{rest}"
    return name or fallback


def expanded_path(path: str | Path) -> Path:
    """Return a path with the homes of users for ``~`` and ``~name``; without such a user it is a file's name."""
    path = Path(path)
    with contextlib.suppress(RuntimeError):
        path = path.expanduser()
    return path


def absolute_path(path: str | Path) -> Path:
    """Return a path from the root, with the homes of users as in `expanded_path`."""
    return expanded_path(path).absolute()


def is_utf8(path: str | Path) -> bool:
    """Whether a name is text, and not bytes in some old encoding or halves of characters."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def as_utf8(text: str) -> str:
    """Return a text with what is no text in UTF-8 written as `ESCAPED` has it."""
    return text.encode(errors=ESCAPED).decode()


def template_fields(template: str) -> tuple[str, ...]:
    """Return the fields that a template names in braces.

    Raises
    ------
    UsageError
        The braces do not match.
    """
    try:
        pieces = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"The name template “{template}” has a brace without its partner; check it.") from error
    if any(form or conversion for _, field, form, conversion in pieces if field is not None):
        raise UsageError(f"The name template “{template}” may hold plain fields like {{part}} only.")
    return tuple(field for _, field, _, _ in pieces if field is not None)


def render_template(template: str, fields: Mapping[str, str]) -> str:
    """Fill a template such as ``{number} {part}`` and make a safe file name of it.

    Parameters
    ----------
    template : str
        Text with fields in braces; a brace itself is written twice.
    fields : mapping of str to str
        The value of every field there is; an empty one leaves no doubled spaces, dashes or brackets behind.

    Raises
    ------
    UsageError
        The template is empty or names a field that does not exist.
    """
    for field in template_fields(template):
        if field not in fields:
            known = ", ".join(f"{{{name}}}" for name in fields)
            raise UsageError(f"The name template has no field {{{field}}}; there are {known}.")
    text = template.format_map(dict(fields))
    text = re.sub(r"\(\s*\)|\[\s*\]", "", text)
    text = re.sub(r"\s+-(?:\s+-)+\s+", " - ", f" {text} ").strip().strip("-").strip()
    if not text:
        raise UsageError("The name template gives an empty name; put at least {part} in it.")
    return safe_name(text)


_NOT_PLAIN = "a device or a pipe, not a file"
# Where a pipe took the place of a file between two looks at it, opening it must not wait either.
_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def is_regular(path: Path) -> bool:
    """Whether there is a plain file at `path`, or a link to one."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):  # a name that no system can have
        return False


def open_regular(path: Path) -> BinaryIO:
    """Open a plain file for reading; anything else is refused at once.

    Raises
    ------
    OSError
        It is missing, forbidden, a folder, a device or a pipe.
    """
    _refuse_what_is_not_plain(path.stat(), path)
    descriptor = os.open(path, _FLAGS)
    try:
        _refuse_what_is_not_plain(os.fstat(descriptor), path)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_limited(path: Path, limit_bytes: int) -> bytes:
    """Read a plain file that may not be larger than a limit.

    Raises
    ------
    OSError
        As in `open_regular`.
    ValueError
        It is larger.
    """
    with open_regular(path) as file:
        size_bytes = os.fstat(file.fileno()).st_size
        if size_bytes > limit_bytes:
            raise ValueError(f"{path} is larger than {limit_bytes} bytes")
        return file.read(size_bytes)


def _refuse_what_is_not_plain(state: os.stat_result, path: Path) -> None:
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(state.st_mode):
        raise OSError(errno.EINVAL, _NOT_PLAIN, str(path))


WANTED_FILES = 65_536


@cache
def allow_many_files() -> None:
    """Raise what this process may have open, as far as the system lets it; Windows lets it open thousands."""
    if sys.platform == "win32":
        return
    import resource

    present, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (WANTED_FILES, 10_240):  # macOS refuses more than the second, whatever it says of the most
        if most != resource.RLIM_INFINITY:
            wanted = min(wanted, most)
        if present == resource.RLIM_INFINITY or present >= wanted:
            return
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            return


def move_to_bin(path: Path) -> None:
    """Move a file or folder to the bin; a link is never followed, but refused.

    Raises
    ------
    OutputError
        The system has no bin for that disk, or does not let it go; it is still where it was.
    """
    from send2trash import send2trash  # asks for the home folder when it is loaded

    refused = f"The system's bin did not take '{path}'"
    what_to_do = "it is still there; remove it by hand if you do not need it"
    if path.is_symlink() or (hasattr(path, "is_junction") and path.is_junction()):
        raise OutputError(f"'{path}' is a link to somewhere else, and is left alone.")
    try:
        send2trash(os.fspath(path))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{refused} ({reason}): {what_to_do}.") from error
    if os.path.lexists(path):
        raise OutputError(f"{refused}: {what_to_do}.")
