"""Moving files to the system's bin, from which a person can take them back."""

from __future__ import annotations

import os
from pathlib import Path

from scoresep.errors import OutputError


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
