"""What can be refused before any work is done: places that cannot be written, devices that are not there."""

from __future__ import annotations

from pathlib import Path

from scoresep.cli.terminal import STANDARD_OUTPUT
from scoresep.files.atomic import check_place


def check_output(output: str, is_folder: bool = False) -> None:
    """Refuse a file or folder that could not be written at the end of the work.

    Raises
    ------
    OutputError
    """
    if is_folder or output != STANDARD_OUTPUT:
        check_place(Path(output).expanduser().absolute(), is_folder)


def check_device(name: str) -> None:
    """Refuse a device that cannot be used here; torch is only asked where that is in doubt.

    Raises
    ------
    DeviceError
    """
    if name in ("auto", "cpu"):
        return
    from scoresep.engines.separation.devices import choose_device

    choose_device(name)
