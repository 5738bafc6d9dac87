"""A project with all its files, and what a stranger, an accident or an attacker makes of it; nothing does any harm."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from small_scores import even_alignment, scale_score, straight

from scoresep.files.audio.recordings import open_recording
from scoresep.files.audio.stems import StemFolderWriter
from scoresep.files.storage.cache import content_key
from scoresep.model.project import PartSettings, Project, ScoreFile
from scoresep.model.score import Instrument
from scoresep.model.segments import Activity
from scoresep.model.timemap import SyncPoint


def whole_project(folder: Path, rate: int = 44_100) -> Project:
    """Return a project with all its files in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    samples = np.random.default_rng(1).uniform(-0.5, 0.5, (rate, 2))
    soundfile.write(folder / "take.wav", samples, rate, subtype="FLOAT")
    (folder / "score.musicxml").write_text("<score-partwise/>")
    recording = open_recording(folder / "take.wav")
    unfolded = straight(scale_score())
    with StemFolderWriter(folder / "piece.scoresep-data" / "stems", recording, [(0, "Violin"), (1, "Cello")]) as writer:
        writer.write(np.zeros((3, 2, recording.frames), np.float32))
        stem_set = writer.finish("nmf", "cpu", "key")
    return Project(
        recording,
        ScoreFile(str(folder / "score.musicxml"), content_key(folder / "score.musicxml")),
        unfolded.score,
        path=unfolded.path,
        alignment=even_alignment(unfolded),
        hand_points=(SyncPoint(1, 1, 2.5, 12_345),),
        activities=(Activity(0, np.array([1, 500]), np.array([400, 20_000])), Activity(1, np.array([]), np.array([]))),
        parts=(PartSettings("Violin", "#e69f00"), PartSettings("Cello", "#56b4e9", Instrument("Cello", 42))),
        stem_set=stem_set,
    )


def rewritten(project: Path, change: Callable[[dict[str, Any]], object], target: Path | None = None) -> Path:
    """Change the text inside a project file, or write the changed one elsewhere."""
    with zipfile.ZipFile(project) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    text = json.loads(entries["project.json"])
    change(text)
    entries["project.json"] = json.dumps(text).encode()
    with zipfile.ZipFile(target or project, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return target or project


def with_link(project: Path, name: str, relative: str | None, absolute: str, target: Path | None = None) -> Path:
    """Let a project name other places for one of its files."""

    def change(text: dict[str, Any]) -> None:
        text["links"][name] |= {"relative": relative, "absolute": absolute}
        field = "folder" if name == "stem_set" else "path"
        text["project"][name][field] = absolute

    return rewritten(project, change, target)
