"""Names that every system accepts for a file, and names made from a template.

References
----------
Microsoft, "Naming Files, Paths, and Namespaces" (Win32), for the characters and names that Windows reserves.
"""

from __future__ import annotations

import contextlib
import re
import string
import unicodedata
from collections.abc import Mapping
from pathlib import Path

from scoresep.errors import UsageError

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
