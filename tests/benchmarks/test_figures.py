"""The benchmark's own arithmetic, against cases that can be counted by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from calibration import curve, doubtful, means_of_stretches
from note_truth import FoundNotes, Truth, matched, read_truth
from pictures import write_picture
from reference_environment import why_absent


def found(rows: list[tuple[int, float, float, float, float]]) -> FoundNotes:
    part, pitch, quarter, onset_s, offset_s = (np.array(c) for c in zip(*rows, strict=True))
    return FoundNotes(part, pitch, quarter, onset_s, offset_s, np.ones(len(rows)), np.zeros(len(rows), np.int64))


def test_notes_are_matched_by_part_pitch_and_place() -> None:
    truth = Truth([[0, 60, 0, 1, 1.0, 1.5], [0, 62, 1, 2, 1.5, 2.0], [1, 60, 0, 1, 1.0, 1.4]], 0.0)
    m = matched(found([(0, 60, 0, 1.02, 1.5), (0, 62, 1, 1.58, 2.1), (1, 61, 0, 1.0, 1.5)]), truth)
    assert (m.missed, m.invented) == (1, 1)
    np.testing.assert_allclose(m.true_error_s, [0.02, 0.08, np.inf])
    np.testing.assert_allclose(m.offset_error_s, [0.0, 0.1, np.inf], atol=1e-9)
    assert [m.share_within(s) for s in (0.025, 0.05, 0.1)] == pytest.approx([1 / 3, 1 / 3, 2 / 3])
    assert m.f1(0.05) == pytest.approx(1 / 3)


def test_one_found_note_serves_one_true_note() -> None:
    truth = Truth([[0, 60, 0, 1, 1.0, 1.5], [0, 60, 0, 1, 1.01, 1.5]], 0.0)
    assert matched(found([(0, 60, 0, 1.0, 1.5)]), truth).missed == 1


def test_truth_is_read_with_its_accuracy(tmp_path: Path) -> None:
    (tmp_path / "truth.json").write_text(json.dumps({"notes": [[0, 60, 0, 1, 0.1, 0.2]], "accuracy_s": 0.05}))
    assert read_truth(tmp_path).accuracy_s == 0.05


def test_a_curve_that_tells_the_truth_has_no_error() -> None:
    stated = np.repeat([0.25, 0.75], 100)
    right = np.concatenate([np.arange(100) < 25, np.arange(100) < 75]).astype(float)
    honest, boastful = curve(stated, right), curve(np.ones(200), right)
    assert honest.expected_error == pytest.approx(0)
    assert boastful.expected_error == pytest.approx(0.5)
    assert honest.count.sum() == 200


def test_doubtful_is_held_against_wrong() -> None:
    u = doubtful(np.array([0.1, 0.4, 0.6, 0.9]), np.array([True, False, True, False]), 0.5)
    assert (u.share, u.wrong, u.precision, u.recall) == (0.5, 0.5, 0.5, 0.5)


def test_stretches_without_notes_are_left_out() -> None:
    np.testing.assert_allclose(means_of_stretches(np.array([1.0, 0.0, 0.5]), np.array([0, 0, 3])), [0.5, 0.5])


def test_the_picture_is_an_svg(tmp_path: Path) -> None:
    shares = {"one": {"25 ms": 0.5, "50 ms": 0.7}, "other": {"25 ms": 0.1, "50 ms": 0.2}}
    write_picture(tmp_path / "p.svg", shares, {"notes": curve(np.array([0.2, 0.9]), np.array([0.0, 1.0]))})
    text = (tmp_path / "p.svg").read_text()
    assert text.startswith("<svg") and text.rstrip().endswith("</svg>")


def test_absent_references_are_said_to_be(tmp_path: Path) -> None:
    assert "--make-references" in (why_absent(tmp_path / "nothing") or "")
