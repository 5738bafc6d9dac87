"""Sound devices: a real PortAudio on ALSA's null device where that exists, and the sentences for where it does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scoresep.errors import DeviceError
from scoresep.playback import outputs
from scoresep.playback.outputs import NO_PORTAUDIO, SILENT_DEVICE, SilentOutput, open_output, output_devices

ROOT = Path(__file__).resolve().parents[2]

PLAY = """
import json, time
import numpy as np
from scoresep.model.audio import ArraySource
from scoresep.model.project import Mixer
from scoresep.playback.mixing import Track, make_mix
from scoresep.playback.outputs import output_devices
from scoresep.playback.player import Player

names = [d.name for d in output_devices()]
tone = np.sin(np.arange(44100) / 20)[None].astype(np.float32)
player = Player(device=names[0])
player.set_material(make_mix(Mixer(), (Track("recording", ArraySource(tone, 44100)),), 44100, 44100))
player.play()
states = []
for _ in range(5000):
    states.append(player.state())
    if len(states) > 5 and not states[-1].is_playing:
        break
    time.sleep(0.01)
player.close()
last = states[-1]
print(json.dumps([names, last.frame, last.output.problem, states[5].output.device, states[5].output.sample_rate]))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs ALSA")
def test_a_real_stream_plays_to_the_end(tmp_path: Path) -> None:
    config = tmp_path / "asound.conf"
    config.write_text("pcm.!default { type null }\npcm.quiet { type null }\nctl.!default { type null }\n")
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(config)}
    answer = subprocess.run(
        [sys.executable, "-c", PLAY], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    if "IndexError" in answer.stderr or "DeviceError" in answer.stderr:
        pytest.skip("needs PortAudio with ALSA's null device")
    names, frame, problem, device, rate = json.loads(answer.stdout.splitlines()[-1])
    assert "quiet" in names and device == names[0] and rate == 44100
    assert problem == "" and frame == 44100


def test_a_missing_library_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)  # as if the import failed
    with pytest.raises(DeviceError, match="PortAudio library is missing") as caught:
        output_devices()
    assert str(caught.value) == NO_PORTAUDIO


def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = ("Speakers", True, {"max_output_channels": 2, "index": 0, "default_samplerate": 48000})
    monkeypatch.setattr(outputs, "_sounddevice", lambda: None)
    monkeypatch.setattr(outputs, "_entries", lambda _: [entry])
    with pytest.raises(DeviceError, match="Headphones"):
        open_output("Headphones", 44100, lambda _: None)
    monkeypatch.setattr(outputs, "_entries", lambda _: [])
    with pytest.raises(DeviceError, match="no sound device"):
        open_output(None, 44100, lambda _: None)


def test_the_silent_device_needs_nothing() -> None:
    output = open_output(SILENT_DEVICE, 44100, lambda block: block.fill(0.0))
    assert isinstance(output, SilentOutput) and not output.is_running
    output.start()
    assert output.is_running
    output.close()
    assert not output.is_running
