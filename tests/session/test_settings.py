"""Settings are kept whole, and nonsense among them costs only itself."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from session_desk import Desk

from scoresep.session.settings import MAX_RECENT, Settings, load_settings, save_settings, settings_path


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCORESEP_CONFIG_DIR", str(tmp_path / "config"))


def test_settings_are_kept() -> None:
    settings = Settings(
        "dark", "cpu", "Loudspeaker 𝄞", False, False, 30.0, ("/a.scoresep", "/b\udc80.wav"), "/", "/out"
    )
    save_settings(settings)
    assert load_settings() == settings
    assert [p.name for p in settings_path().parent.iterdir()] == [settings_path().name], "nothing half written"


def test_a_session_keeps_them_at_once_and_not_again_at_its_end(desk: Desk) -> None:
    session = desk.session()
    session.set_settings(replace(session.settings, theme="dark"))
    assert load_settings().theme == "dark"
    save_settings(Settings(theme="light"))
    session.close()
    assert load_settings().theme == "light", "another window has set that since"


def test_two_windows_keep_what_each_of_them_has_set(desk: Desk) -> None:
    first, second = desk.session(), desk.session()
    first.set_settings(replace(first.settings, theme="dark").with_recent("/one.wav"))
    second.set_settings(replace(second.settings, device="cpu").with_recent("/two.wav"))
    kept = load_settings()
    assert (kept.theme, kept.device, kept.recent) == ("dark", "cpu", ("/two.wav", "/one.wav"))
    second.set_settings(replace(second.settings, recent=()))
    assert load_settings().recent == ()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no json",
        b"[1]",
        b"null",
        b"\xff\xfe",
        b'{"theme": 3',
        b"[" * 100_000,
        b'{"autosave_interval_s": 1' + b"0" * 400,
    ],
)
def test_a_damaged_file_gives_the_defaults(content: bytes) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_bytes(content)
    assert load_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[("theme", v) for v in ("purple", 3, None)],
        *[("device", v) for v in ("gpu", [])],
        *[("autosave_interval_s", v) for v in (0, -5.0, float("nan"), float("inf"), True, "60", 10**400)],
        *[("aligns_on_open", v) for v in (1, "yes")],
        *[("recent", v) for v in ("abc", {"a": 1})],
    ],
)
def test_one_senseless_value_costs_only_itself(name: str, value: object) -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text(json.dumps(asdict(Settings(last_folder="/music")) | {name: value, "unknown": 1}))
    assert load_settings() == Settings(last_folder="/music")


def test_whole_numbers_serve_as_seconds_and_lists_are_cut() -> None:
    settings_path().parent.mkdir(parents=True)
    recent = [f"/{i}.wav" for i in range(50)] + [7]
    settings_path().write_text(json.dumps({"autosave_interval_s": 30, "recent": ["/0.wav", *recent]}))
    assert load_settings() == Settings(autosave_interval_s=30.0, recent=tuple(recent[:MAX_RECENT]))  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_written_costs_the_settings_only(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("a file in the way")
    save_settings(Settings(theme="dark"))
    assert load_settings() == Settings()


@given(st.lists(st.sampled_from("abcdefghijklmnopq"), max_size=40))
def test_recent_files_are_the_last_ones_each_once_newest_first(opened: list[str]) -> None:
    settings = Settings()
    for name in opened:
        settings = settings.with_recent(f"/{name}")
    assert settings.recent == tuple(f"/{n}" for n in dict.fromkeys(reversed(opened)))[:MAX_RECENT]
