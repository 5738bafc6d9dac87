"""What is made again and what is not: going on after a crash, corrected notes, engines for parts and stretches."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from separation_audio import RATE, duet

from scoresep.edits.recipes import recipe_of_stems
from scoresep.engines.separation import Separator
from scoresep.engines.separation.nmf.separator import FittedNmf
from scoresep.errors import Cancelled
from scoresep.files.audio.recordings import open_recording, open_source
from scoresep.files.audio.stems import LEARNED_NAME, StemFolderWriter, StemSource, load_learned
from scoresep.model.alignment import SoundingNotes
from scoresep.model.project import Recipe, RecipeRule
from scoresep.progress import Progress, ProgressState
from scoresep.session import separation_job as stem_making
from scoresep.session.separation_job import (
    ReusableStems,
    SeparationJob,
    SeparationRequest,
    StemsSoFar,
    separate_recording,
)

REPEATS = 5
QUICK = Recipe("nmf", "preview")


@pytest.fixture(scope="module")
def request_of_all(tmp_path_factory: pytest.TempPathFactory) -> SeparationRequest:
    """Separation of a duet of 24 s, which is divided into several stretches."""
    notes, stems = duet()
    length = stems.shape[1]
    columns = {
        name: np.concatenate([getattr(notes, name) + k * step for k in range(REPEATS)])
        for name, step in (("onset_frame", length), ("offset_frame", length), ("stem_index", 0), ("pitch_midi", 0))
    }
    notes = replace(notes, confidence=np.tile(notes.confidence, REPEATS), **columns)
    path = tmp_path_factory.mktemp("duet") / "duet.wav"
    soundfile.write(path, np.tile(stems.sum(0), REPEATS), RATE, subtype="FLOAT")
    recording = open_recording(str(path))
    edges = tuple(range(6 * RATE, recording.frames, 6 * RATE))
    return SeparationRequest(
        recording, notes, (0, 1), ("High", "Low"), QUICK, "cpu", "", edges=edges, keeps_learned=True
    )


def made(request: SeparationRequest, folder: Path) -> NDArray[np.float32]:
    """Separate into a folder and return stems and residual, shape (3, 1, frames)."""
    separate_recording(replace(request, folder=str(folder)), Progress())
    return read(folder)


def read(folder: Path) -> NDArray[np.float32]:
    names = ("01 High.wav", "02 Low.wav", "Residual.wav")
    return np.stack([StemSource(folder / name).read(0, 10**9) for name in names])


def die(writer: StemFolderWriter) -> None:
    """Leave behind what a writer leaves whose process is ended."""
    remains = writer.path.with_name(writer.path.name.replace(".part", "0.part"))
    shutil.copytree(writer.path, remains)
    writer.abort()


def moved(notes: SoundingNotes, row: int, frames: int) -> SoundingNotes:
    onset, offset = notes.onset_frame.copy(), notes.offset_frame.copy()
    onset[row] += frames
    offset[row] += frames
    return replace(notes, onset_frame=onset, offset_frame=offset)


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The stretches that the engine has computed."""
    asked: list[tuple[int, int]] = []
    honest = FittedNmf.separate

    def noting(self, source, notes, start_frame, stop_frame, progress):  # type: ignore[no-untyped-def]
        asked.append((start_frame, stop_frame))
        return honest(self, source, notes, start_frame, stop_frame, progress)

    monkeypatch.setattr(FittedNmf, "separate", noting)
    return asked


def test_what_a_dead_process_has_finished_is_not_made_again(
    request_of_all: SeparationRequest, tmp_path: Path, computed: list[tuple[int, int]]
) -> None:
    whole = made(request_of_all, tmp_path / "whole")
    stretches = sorted(computed)
    assert len(stretches) >= 3
    computed.clear()

    request = replace(request_of_all, folder=str(tmp_path / "again"))
    writer = StemFolderWriter(request.folder, request.recording, [(0, "High"), (1, "Low")], request.making_key)
    with open_source(request.recording) as source, pytest.raises(Cancelled):
        SeparationJob(request, (0, 1), source, writer).run(Progress(is_cancelled=lambda: len(writer.finished) == 2))
    die(writer)
    assert len(computed) == 2
    computed.clear()

    result = made(request_of_all, tmp_path / "again")
    assert sorted(computed) == stretches[2:]
    np.testing.assert_array_equal(result, whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again", "whole"]


def test_who_made_stems_is_known_also_when_only_their_names_were_missing(
    request_of_all: SeparationRequest, tmp_path: Path, computed: list[tuple[int, int]]
) -> None:
    request = replace(request_of_all, recipe=Recipe("auto", "preview"), folder=str(tmp_path / "stems"))
    writer = StemFolderWriter(request.folder, request.recording, [(0, "High"), (1, "Low")], request.making_key)
    with open_source(request.recording) as source:
        report = SeparationJob(request, (0, 1), source, writer).run(Progress())
    die(writer)
    computed.clear()
    stem_set = separate_recording(request, Progress()).stem_set
    assert not computed and (stem_set.engine, stem_set.device) == (report.engine, report.device)


class Stumbling:
    """An engine that stumbles over all that was learned before."""

    def __init__(self, engine: Separator) -> None:
        self._engine = engine

    def fit(self, source, notes, options, progress, known, keep):  # type: ignore[no-untyped-def]
        if known is not None:
            raise IndexError("too many indices for array")
        return self._engine.fit(source, notes, options, progress, known, keep)


def test_what_was_learned_and_is_damaged_is_learned_again(
    request_of_all: SeparationRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request, folder = replace(request_of_all, folder=str(tmp_path / "first")), tmp_path / "first"
    whole = made(request, folder)
    corrected = replace(request, notes=moved(request.notes, 0, 100), earlier=str(folder))
    expected = made(corrected, tmp_path / "expected")
    make = stem_making.make_engine
    monkeypatch.setattr(stem_making, "make_engine", lambda name: Stumbling(make(name)))
    again = made(corrected, tmp_path / "stumbling")
    assert np.abs(again - expected).max() < 0.1 * np.abs(whole).max()
    monkeypatch.undo()

    for name in ("01 High.wav", LEARNED_NAME):  # cut short: nothing of the earlier stems is of use
        os.truncate(folder / name, 1000)
    fresh = made(replace(corrected, earlier=""), tmp_path / "fresh")
    np.testing.assert_array_equal(made(corrected, tmp_path / "mended"), fresh)


def test_what_was_begun_with_other_notes_is_of_no_use(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    other = replace(request_of_all, notes=moved(request_of_all.notes, 0, 100))
    writer = StemFolderWriter(tmp_path / "a", other.recording, [(0, "High"), (1, "Low")], other.making_key)
    die(writer)
    writer = StemFolderWriter(
        tmp_path / "a", request_of_all.recording, [(0, "High"), (1, "Low")], request_of_all.making_key
    )
    assert not writer.is_taken_over
    writer.abort()
    assert not list(tmp_path.iterdir()), "nor does it stay"


def test_nobody_goes_on_with_what_was_made_otherwise(
    request_of_all: SeparationRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = request_of_all.making_key
    assert replace(request_of_all, device="cuda").making_key != key
    assert replace(request_of_all, earlier="stems-before").making_key != key
    assert replace(request_of_all, folder="elsewhere", keeps_learned=False).making_key == key
    monkeypatch.setattr("scoresep.version.__version__", "99.0")
    assert request_of_all.making_key != key


def test_stems_of_another_version_of_the_program_are_not_mended(
    request_of_all: SeparationRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(request_of_all, tmp_path / "before")
    corrected = replace(request_of_all, notes=moved(request_of_all.notes, 3, -1600), earlier=str(tmp_path / "before"))
    assert ReusableStems.of(corrected) is not None
    monkeypatch.setattr("scoresep.version.__version__", "99.0")
    assert ReusableStems.of(corrected) is None


def test_earlier_stems_may_be_moved_while_they_are_mended(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    before = made(request_of_all, tmp_path / "before")
    notes = request_of_all.notes
    corrected = replace(request_of_all, notes=moved(notes, len(notes) // 2, -1600), earlier=str(tmp_path / "before"))
    moves: list[Path] = []

    def move_at_once(state: ProgressState) -> None:
        if not moves:
            moves.append((tmp_path / "before").rename(tmp_path / "beside the project"))

    separate_recording(replace(corrected, folder=str(tmp_path / "after")), Progress(move_at_once))
    assert moves
    after = read(tmp_path / "after")
    np.testing.assert_array_equal(after[..., :RATE], before[..., :RATE])
    assert any(name.startswith("nmf/preview/") for name in load_learned(tmp_path / "after"))


def test_a_rule_that_others_cover_is_not_asked(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    plain = made(request_of_all, tmp_path / "plain")
    start, stop = 8 * RATE, 14 * RATE
    rules = RecipeRule("nmf", "balanced", 0, start, stop), RecipeRule("nmf", "preview", None, start, stop)
    covered = made(replace(request_of_all, recipe=replace(QUICK, rules=rules)), tmp_path / "covered")
    np.testing.assert_allclose(covered, plain, atol=1e-6)


def test_a_corrected_note_makes_only_its_surroundings_again(
    request_of_all: SeparationRequest, tmp_path: Path, computed: list[tuple[int, int]]
) -> None:
    before = made(request_of_all, tmp_path / "before")
    computed.clear()
    notes = request_of_all.notes
    row = len(notes) // 2
    corrected = replace(request_of_all, notes=moved(notes, row, -1600), earlier=str(tmp_path / "before"))
    after = made(corrected, tmp_path / "after")

    low, high = notes.onset_frame[row] - 2 * RATE, notes.offset_frame[row] + 2 * RATE
    assert 0 < sum(b - a for a, b in computed) < high - low
    np.testing.assert_array_equal(after[..., :low], before[..., :low])
    np.testing.assert_array_equal(after[..., high:], before[..., high:])
    assert np.abs(after - before).max() > 0
    recording, _ = soundfile.read(request_of_all.recording.path, dtype="float32")
    np.testing.assert_allclose(after.sum(0)[0], recording, atol=1e-6)
    steps = np.abs(np.diff(after - before, axis=2)).max()
    assert steps < 0.1 * np.abs(np.diff(before, axis=2)).max(), "the two makings meet without a jump"


def test_most_notes_changed_means_that_all_is_learned_again(
    request_of_all: SeparationRequest, tmp_path: Path, computed: list[tuple[int, int]]
) -> None:
    made(request_of_all, tmp_path / "before")
    computed.clear()
    notes = replace(request_of_all.notes, pitch_midi=request_of_all.notes.pitch_midi + 1.0)
    made(replace(request_of_all, notes=notes, earlier=str(tmp_path / "before")), tmp_path / "after")
    assert sum(b - a for a, b in computed) == request_of_all.recording.frames


def test_a_part_and_a_stretch_can_have_a_recipe_of_their_own(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    plain = made(request_of_all, tmp_path / "plain")
    other = made(replace(request_of_all, recipe=Recipe("nmf", "balanced")), tmp_path / "other")
    start, stop = 8 * RATE, 14 * RATE
    rules = (RecipeRule("nmf", "balanced", 0, start, stop),)
    mixed = made(replace(request_of_all, recipe=replace(QUICK, rules=rules)), tmp_path / "mixed")

    edge = RATE // 10
    np.testing.assert_array_equal(mixed[1], plain[1])
    np.testing.assert_array_equal(mixed[0, :, : start - edge], plain[0, :, : start - edge])
    np.testing.assert_allclose(
        mixed[0, :, start + edge : stop - edge], other[0, :, start + edge : stop - edge], atol=1e-5
    )
    assert np.abs(other[0] - plain[0]).max() > 1e-3, "they differ, so that the test can fail"
    np.testing.assert_allclose(mixed.sum(0), plain.sum(0), atol=1e-6)


def test_a_rule_makes_only_the_part_and_stretch_again_that_it_is_for(
    request_of_all: SeparationRequest, tmp_path: Path, computed: list[tuple[int, int]]
) -> None:
    made(request_of_all, tmp_path / "before")
    start, stop = 8 * RATE, 14 * RATE
    ruled = replace(QUICK, rules=(RecipeRule("nmf", "balanced", 0, start, stop),))
    afresh = made(replace(request_of_all, recipe=ruled), tmp_path / "afresh")
    computed.clear()
    after = made(replace(request_of_all, recipe=ruled, earlier=str(tmp_path / "before")), tmp_path / "after")
    assert 0 < sum(b - a for a, b in computed) < stop - start + RATE
    np.testing.assert_allclose(after, afresh, atol=1e-5)
    np.testing.assert_array_equal(after[1], read(tmp_path / "before")[1])
    assert recipe_of_stems(tmp_path / "after") == ruled
    assert any(name.startswith("nmf/preview/") for name in load_learned(tmp_path / "after")), "kept for the next time"

    computed.clear()
    back = made(replace(request_of_all, earlier=str(tmp_path / "after")), tmp_path / "back")
    assert 0 < sum(b - a for a, b in computed) < stop - start + RATE
    np.testing.assert_allclose(back, read(tmp_path / "before"), atol=1e-5)


def test_all_who_made_stems_are_named(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    automatic = replace(request_of_all, recipe=Recipe("auto", "balanced"), folder=str(tmp_path / "before"))
    before = separate_recording(automatic, Progress()).stem_set.engine
    assert before.startswith("auto (") and " + " in before, "several, so that the test can fail"
    rules = (RecipeRule("nmf", "preview", 1),)
    ruled = replace(automatic, recipe=replace(automatic.recipe, rules=rules), folder=str(tmp_path / "after"))
    after = separate_recording(replace(ruled, earlier=str(tmp_path / "before")), Progress()).stem_set.engine
    assert after == f"{before}, nmf"


def test_a_rule_for_a_whole_part_leaves_the_other_parts_alone(
    request_of_all: SeparationRequest, tmp_path: Path
) -> None:
    before = made(request_of_all, tmp_path / "before")
    ruled = replace(QUICK, rules=(RecipeRule("nmf", "balanced", 1),))
    after = made(replace(request_of_all, recipe=ruled, earlier=str(tmp_path / "before")), tmp_path / "after")
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[1] - before[1]).max() > 1e-3
    np.testing.assert_allclose(after.sum(0), before.sum(0), atol=1e-6)


def test_another_recipe_for_everything_takes_nothing_over(
    request_of_all: SeparationRequest, tmp_path: Path, computed: list[tuple[int, int]]
) -> None:
    made(request_of_all, tmp_path / "before")
    for recipe in (replace(QUICK, seed=1), replace(QUICK, budget="balanced")):
        request = replace(request_of_all, recipe=recipe, earlier=str(tmp_path / "before"))
        assert ReusableStems.of(request) is None


def test_what_a_person_listens_to_comes_first_and_can_be_heard_at_once(
    request_of_all: SeparationRequest, tmp_path: Path
) -> None:
    heard: list[StemsSoFar] = []

    def report(state: ProgressState) -> None:
        if isinstance(state.finished, StemsSoFar) and (not heard or state.finished != heard[-1]):
            if not heard:
                folder = Path(state.finished.stem_set.folder)
                ((start, stop),) = state.finished.finished
                now = read(folder)
                recording, _ = soundfile.read(request_of_all.recording.path, dtype="float32")
                np.testing.assert_allclose(now.sum(0)[0], recording, atol=1e-6)
                assert now[0, :, start:stop].any() and not now[:2, :, :start].any()
            heard.append(state.finished)

    at = request_of_all.recording.frames - 1
    request = replace(request_of_all, folder=str(tmp_path / "stems"))
    separate_recording(request, Progress(report, priority=lambda: at))
    assert heard[0].finished[0][1] == request.recording.frames
    assert heard[-1].finished[0][0] == 0


def test_levels_tell_what_stays_unexplained(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    stems = made(request_of_all, tmp_path / "stems")
    learned = load_learned(tmp_path / "stems")
    power, block = learned["levels/power"], int(learned["levels/block_frames"])
    assert power.shape == (4, -(-stems.shape[2] // block))
    np.testing.assert_allclose(power[3, 4], (stems[2, :, 4 * block : 5 * block] ** 2).mean(), rtol=1e-4)


def test_what_was_learned_gives_way_together_with_its_stems(request_of_all: SeparationRequest, tmp_path: Path) -> None:
    folder = tmp_path / "stems"
    made(request_of_all, folder)
    other = replace(request_of_all, notes=moved(request_of_all.notes, 3, -1600))
    made(other, folder)
    np.testing.assert_array_equal(load_learned(folder)["notes/onset_frame"], other.notes.onset_frame)
    made(replace(other, keeps_learned=False), folder)
    assert not load_learned(folder), "it would be of other stems"
