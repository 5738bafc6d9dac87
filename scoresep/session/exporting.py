"""What a person may export of a project, and the request that the files layer does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from scoresep.errors import InputError
from scoresep.files.export_audio import (
    DEFAULT_TEMPLATE,
    ExportInput,
    ExportReport,
    ExportRequest,
    ExportTrack,
    export_audio,
)
from scoresep.files.export_formats import ExportFormat
from scoresep.model.project import Project, Stem, StemSet
from scoresep.playback.mixing import TrackKey, fold_matrix, stereo_gains
from scoresep.progress import Progress


@dataclass(frozen=True)
class ExportChoices:
    """What is to be exported, and how.

    Attributes
    ----------
    folder : str
    is_mix : bool
        The mix as it is heard, in the place of the stems.
    part_indices : tuple of (int or None) or None
        Stems that are written, None among them for the residual; None in place of the tuple for all stems.
    start_frame : int
    end_frame : int or None
        None for the end of the recording.
    container : str
        ``wav`` or ``flac``.
    bits : int
        16 or 24, in WAV also 32, which is float.
    template : str
        Names of the files.
    overwrites : bool
        Whether files of the same names are replaced.
    """

    folder: str
    is_mix: bool = False
    part_indices: tuple[int | None, ...] | None = None
    start_frame: int = 0
    end_frame: int | None = None
    container: Literal["wav", "flac"] = "wav"
    bits: int = 32
    template: str = DEFAULT_TEMPLATE
    overwrites: bool = False


def export_request(project: Project, choices: ExportChoices) -> ExportRequest:
    """Gather what an export depends on; its names can be looked at before (`files.export_audio.export_names`).

    Raises
    ------
    InputError
        If there are no stems.
    UsageError
        If there is no such format.
    """
    recording, stem_set = project.recording, project.stem_set
    if recording is None or stem_set is None:
        raise InputError("There are no stems to export; separate the recording first.")
    stems = tuple(s for s in stem_set.stems if choices.part_indices is None or s.part_index in choices.part_indices)
    tracks = (_mix_track(project, stem_set),) if choices.is_mix else tuple(_stem_track(project, s) for s in stems)
    return ExportRequest(
        folder=choices.folder,
        tracks=tracks,
        recording=recording,
        file_format=ExportFormat(choices.container, choices.bits),
        template=choices.template,
        song=Path(recording.path).stem,
        engine=stem_set.engine,
        device=stem_set.device,
        start_frame=choices.start_frame,
        end_frame=choices.end_frame,
        may_replace=choices.overwrites,
    )


def export(request: ExportRequest, progress: Progress) -> ExportReport:
    """Write the files of an export, all or none; runs in a worker."""
    return export_audio(request, progress)


def _stem_track(project: Project, stem: Stem) -> ExportTrack:
    assert project.stem_set is not None
    source = str(Path(project.stem_set.folder) / stem.file)
    if stem.part_index is None or stem.part_index >= len(project.parts):
        return ExportTrack(stem.name, (ExportInput(source),), None)
    part = project.parts[stem.part_index]
    return ExportTrack(part.name, (ExportInput(source),), stem.part_index, part.instrument.name)


def _mix_track(project: Project, stem_set: StemSet) -> ExportTrack:
    """Sum all stems as the mixer has them: folded to stereo, as they are heard."""
    assert project.recording is not None
    keys: tuple[TrackKey, ...] = tuple("residual" if s.part_index is None else s.part_index for s in stem_set.stems)
    fold = fold_matrix(project.recording.channels)
    inputs = []
    for stem, gains in zip(stem_set.stems, stereo_gains(project.mixer, keys), strict=True):
        matrix = np.diag(gains) @ fold
        rows = tuple(tuple(float(g) for g in row) for row in matrix)
        inputs.append(ExportInput(str(Path(stem_set.folder) / stem.file), rows))
    return ExportTrack("Mix", tuple(inputs))
