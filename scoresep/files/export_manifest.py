"""The list that goes along with exported files: where they come from, and what was done to them."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scoresep.errors import InputError
from scoresep.files.stem_files import EXPORT_KIND, MANIFEST_NAME, read_manifest, recording_facts
from scoresep.model.audio import Recording


@dataclass(frozen=True)
class ExportedFile:
    """One exported file.

    Attributes
    ----------
    file : str
    part_index : int or None
        None for the residual, a mix, or the recording.
    part : str
    engine, device : str
        What made the stems.
    format : str
    start_frame, end_frame : int
        The stretch of the recording that it holds.
    gain_db : float
        What it was turned up (down: negative), alike for all files of one export.
    """

    file: str
    part_index: int | None
    part: str
    engine: str
    device: str
    format: str
    start_frame: int
    end_frame: int
    gain_db: float


def manifest_name(folder: Path, recording: Recording) -> str:
    """Return the name for the manifest of an export: that of an earlier export of the same recording, or a free one."""
    number = 1
    while True:
        name = MANIFEST_NAME if number == 1 else f"{Path(MANIFEST_NAME).stem} {number}{Path(MANIFEST_NAME).suffix}"
        if not (folder / name).exists() or _earlier_files(folder, name, recording) is not None:
            return name
        number += 1


def write_export_manifest(path: Path, final_folder: Path, recording: Recording, files: Sequence[ExportedFile]) -> None:
    """Write the manifest of an export, with the files of earlier exports that stand beside the new ones.

    Parameters
    ----------
    path : Path
        Where to write.
    final_folder : Path
        Where it will stand.
    recording : Recording
    files : sequence of ExportedFile
        At least one.

    Raises
    ------
    OSError
    """
    new_names = {f.file for f in files}
    earlier = [
        entry
        for entry in _earlier_files(final_folder, path.name, recording) or []
        if entry["file"] not in new_names and (final_folder / entry["file"]).is_file()
    ]
    manifest = {
        "scoresep": importlib.import_module("scoresep").__version__,  # by name: the package is above this layer
        "kind": EXPORT_KIND,
        "engine": files[0].engine,
        "device": files[0].device,
        "recording": recording_facts(recording),
        "stems": [*earlier, *(asdict(f) for f in files)],
    }
    path.write_text(json.dumps(manifest, indent=2, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def _earlier_files(folder: Path, name: str, recording: Recording) -> list[dict[str, Any]] | None:
    """Return what the manifest of an earlier export of the same recording lists; None where there is none."""
    try:
        manifest = read_manifest(folder, name)
    except InputError:
        return None
    is_same = manifest.get("kind") == EXPORT_KIND and manifest.get("recording") == recording_facts(recording)
    return list(manifest["stems"]) if is_same else None
