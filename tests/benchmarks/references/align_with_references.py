"""Run the references of the alignment benchmark; started by `alignment.py` in the references' own environment.

    python align_with_references.py TASK.json ANSWER.json

TASK.json: ``[{"name", "audio", "notes": [[midi, start_s, duration_s, program], ...]}, ...]``, the score in the order
written, at its marked tempo. ANSWER.json: for every case and program ``{"onset_s": [...], "seconds": ...}`` or
``{"failed": "..."}``.
The settings are those of synctoolbox's own notebook "Sync audio and music XML using chroma and DLNCO features"; tuning
and transposition are estimated with its own functions.

References
----------
M. Müller, Y. Özer, M. Krause, T. Prätzlich, J. Driedger, "Sync Toolbox: a Python package for efficient, robust, and
accurate music synchronization", Journal of Open Source Software 6(64), 2021, doi:10.21105/joss.03434
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import pandas as pd
from synctoolbox.dtw.mrmsdtw import sync_via_mrmsdtw
from synctoolbox.dtw.utils import compute_optimal_chroma_shift, make_path_strictly_monotonic, shift_chroma_vectors
from synctoolbox.feature.chroma import pitch_to_chroma, quantize_chroma, quantized_chroma_to_CENS
from synctoolbox.feature.csv_tools import df_to_pitch_features, df_to_pitch_onset_features
from synctoolbox.feature.dlnco import pitch_onset_features_to_DLNCO
from synctoolbox.feature.pitch import audio_to_pitch_features
from synctoolbox.feature.pitch_onset import audio_to_pitch_onset_features
from synctoolbox.feature.utils import estimate_tuning

RATE, FEATURE_RATE_HZ = 22_050, 50
HOP = 512


def synctoolbox_onsets_s(audio: np.ndarray, notes: pd.DataFrame) -> np.ndarray:
    """Align with multi-scale DTW on quantised chroma and decaying onset features."""
    tuning = estimate_tuning(audio, RATE)
    of_audio = _chroma(audio_to_pitch_features(audio, Fs=RATE, tuning_offset=tuning, feature_rate=FEATURE_RATE_HZ))
    peaks = audio_to_pitch_onset_features(f_audio=audio, Fs=RATE, tuning_offset=tuning)
    onsets_of_audio = pitch_onset_features_to_DLNCO(peaks, of_audio.shape[1], FEATURE_RATE_HZ)
    of_score = _chroma(df_to_pitch_features(notes, feature_rate=FEATURE_RATE_HZ))
    peaks = df_to_pitch_onset_features(notes)
    onsets_of_score = pitch_onset_features_to_DLNCO(peaks, of_score.shape[1], FEATURE_RATE_HZ)
    coarse = [quantized_chroma_to_CENS(f, 201, 50, FEATURE_RATE_HZ)[0] for f in (of_audio, of_score)]
    shift = compute_optimal_chroma_shift(*coarse)
    of_score, onsets_of_score = (shift_chroma_vectors(f, shift) for f in (of_score, onsets_of_score))
    path = sync_via_mrmsdtw(
        f_chroma1=of_audio,
        f_onset1=onsets_of_audio,
        f_chroma2=of_score,
        f_onset2=onsets_of_score,
        input_feature_rate=FEATURE_RATE_HZ,
        step_weights=np.array([1.5, 1.5, 2.0]),
        threshold_rec=10**6,
    )
    path = make_path_strictly_monotonic(path)
    return np.interp(notes["start"], path[1] / FEATURE_RATE_HZ, path[0] / FEATURE_RATE_HZ)


def _chroma(pitch_features: np.ndarray) -> np.ndarray:
    return quantize_chroma(pitch_to_chroma(pitch_features))


def chroma_dtw_onsets_s(audio: np.ndarray, notes: pd.DataFrame) -> np.ndarray:
    """Align with plain DTW between the recording's constant-Q chroma and the score's."""
    of_audio = librosa.feature.chroma_cqt(y=audio, sr=RATE, hop_length=HOP)
    frames = int(np.ceil(notes["end"].max() * RATE / HOP)) + 1
    of_score = np.zeros((12, frames))
    for start_s, end_s, midi in zip(notes["start"], notes["end"], notes["pitch"], strict=True):
        first = round(start_s * RATE / HOP)
        of_score[int(midi) % 12, first : max(round(end_s * RATE / HOP), first + 1)] += 1
    shift = max(range(12), key=lambda s: float(of_audio.mean(axis=1) @ np.roll(of_score.mean(axis=1), s)))
    of_score = librosa.util.normalize(np.roll(of_score, shift, axis=0), norm=2, axis=0)
    cost = 1 - librosa.util.normalize(of_audio, norm=2, axis=0).T @ of_score
    _, path = librosa.sequence.dtw(C=cost)
    path = make_path_strictly_monotonic(path[::-1].T)
    return np.interp(notes["start"], path[1] * HOP / RATE, path[0] * HOP / RATE)


WAYS = {"synctoolbox": synctoolbox_onsets_s, "chroma DTW": chroma_dtw_onsets_s}


def main() -> None:
    """Align every case of the task in every way."""
    task, answer = (Path(argument) for argument in sys.argv[1:])
    for way in WAYS.values():  # what is compiled at the first call is not the method's slowness
        _warmed_up(way)
    answers: list[dict[str, Any]] = []
    for case in json.loads(task.read_text(encoding="utf-8")):
        columns = np.array(case["notes"])
        notes = pd.DataFrame({"start": columns[:, 1], "duration": columns[:, 2], "pitch": columns[:, 0].astype(int)})
        notes = notes.assign(end=notes["start"] + notes["duration"], velocity=1.0, instrument="any")
        audio = librosa.load(case["audio"], sr=RATE, mono=True)[0]
        found: dict[str, Any] = {}
        for name, way in WAYS.items():
            began_s = time.perf_counter()
            try:
                onset_s = way(audio, notes).tolist()
                found[name] = {"onset_s": onset_s, "seconds": time.perf_counter() - began_s}
            except Exception as error:
                found[name] = {"failed": f"{type(error).__name__}: {error}"}
        answers.append(found)
        print(case["name"], {name: round(f.get("seconds", -1), 1) for name, f in found.items()}, file=sys.stderr)
    answer.write_text(json.dumps(answers), encoding="utf-8")


def _warmed_up(way: Any) -> None:
    time_s = np.arange(6 * RATE) / RATE
    audio = sum(np.sin(2 * np.pi * 440 * 2 ** (k / 12) * time_s) * (time_s // 1 == k) for k in range(6))
    start = np.arange(6.0)
    notes = pd.DataFrame({"start": start, "duration": 1.0, "pitch": 69 + np.arange(6), "end": start + 1})
    way(np.asarray(audio, np.float32), notes.assign(velocity=1.0, instrument="any"))


if __name__ == "__main__":
    main()
