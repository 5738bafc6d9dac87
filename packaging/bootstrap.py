"""Set ScoreSep up in an environment of its own and run its demo or its tests.

``python3 packaging/bootstrap.py demo`` makes `.venv`, installs the locked versions and does the whole job on
the built-in piece; ``python3 packaging/bootstrap.py test`` makes `.venv-dev` and runs every check. What follows on
the command line goes to ``scoresep demo`` or to pytest. The first run downloads; later ones start at once.

Nothing but Python's standard library is needed, and the version of Python is looked at before anything else.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGING = ROOT / "packaging"
OLDEST_PYTHON = (3, 11)

# What Qt and PortAudio load on Linux and their wheels do not bring: the library, and the package of Debian and
# Ubuntu. Read from the wheels with ldd (PySide6 6.11: QtGui and the plugins xcb, wayland and offscreen).
NEEDED_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libX11-xcb.so.1": "libx11-xcb1",
    "libdbus-1.so.3": "libdbus-1-3",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libportaudio.so.2": "libportaudio2",
    "libwayland-client.so.0": "libwayland-client0",
    "libwayland-cursor.so.0": "libwayland-cursor0",
    "libwayland-egl.so.1": "libwayland-egl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-glx.so.0": "libxcb-glx0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-randr.so.0": "libxcb-randr0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-sync.so.1": "libxcb-sync1",
    "libxcb-xfixes.so.0": "libxcb-xfixes0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
    "libxkbcommon.so.0": "libxkbcommon0",
}
FONT_FOLDERS = ("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts")
FONT_PACKAGE = "fonts-dejavu-core"


class SetupError(Exception):
    """The set-up cannot go on; the text is one sentence that says what to do."""


def say(text: str) -> None:
    """Tell the person what happens, on the error stream, so that standard output stays the program's own."""
    print(text, file=sys.stderr, flush=True)


def check_python() -> None:
    """Raise `SetupError` where Python is too old."""
    if sys.version_info[:2] < OLDEST_PYTHON:
        has, needs = sys.version.split()[0], ".".join(map(str, OLDEST_PYTHON))
        raise SetupError(
            f"ScoreSep needs Python {needs} or newer and this is {has}: start this script with a newer one, "
            f"such as `python{needs} packaging/bootstrap.py`."
        )


# ---- system packages


def is_root_on_debian() -> bool:
    """Whether Debian's or Ubuntu's packages can be installed right now."""
    return sys.platform == "linux" and os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: list[str]) -> bool:
    """Install Debian packages and return whether that went well. Only for root."""
    say(f"Installing system packages: {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = [
        "apt-get",
        "-qq",
        "-y",
        "--no-install-recommends",
        "-o",
        "Dpkg::Use-Pty=0",
        "install",
        *packages,
    ]
    output = b""
    for step in (["apt-get", "-qq", "update"], command):
        result = subprocess.run(
            step,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        output += result.stdout
    if result.returncode != 0:  # a failed update alone does no harm where the lists are new enough
        say(output.decode(errors="replace").strip())
    return result.returncode == 0


def apt_advice(packages: list[str]) -> str:
    """Return what the person can do about missing Debian packages, as the end of a sentence."""
    if shutil.which("apt-get"):
        return f"install them with `sudo apt-get install {' '.join(packages)}`"
    return f"install what your system has in place of Debian's {' '.join(packages)}"


def missing_system_packages() -> list[str]:
    """Return the Debian packages that Qt or PortAudio lack on this machine; none outside Linux."""
    if sys.platform != "linux":
        return []
    missing = []
    for library, package in NEEDED_LIBRARIES.items():
        try:
            ctypes.CDLL(library)
        except OSError:
            missing.append(package)
    fonts = (path for folder in FONT_FOLDERS for path in Path(folder).expanduser().rglob("*.[ot]t[fc]"))
    if next(fonts, None) is None:
        missing.append(FONT_PACKAGE)
    return missing


def provide_system_packages() -> None:
    """Install what Qt and PortAudio need from the system, or say what is missing and go on."""
    missing = missing_system_packages()
    if not missing or (is_root_on_debian() and apt_install(missing)):
        return
    say(f"The window or the sound may not work before some system packages are there: {apt_advice(missing)}.")


# ---- the environment


def python_of(environment: Path) -> Path:
    """Return the interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def make_environment(environment: Path) -> None:
    """Make an empty virtual environment with pip in it, in place of what may be there."""
    try:
        import ensurepip  # noqa: F401  (Debian ships it in a package of its own)
    except ImportError:
        package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
        if not (is_root_on_debian() and apt_install([package])):
            raise SetupError(f"Python cannot make virtual environments here: {apt_advice([package])}.") from None
    say(f"Making the virtual environment {environment.name}")
    # a process of its own, since ensurepip may just have been installed
    result = subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=False)
    if result.returncode != 0:
        raise SetupError(f"The virtual environment {environment} could not be made; look at the lines above.")


def works(environment: Path) -> bool:
    """Whether the environment has pip and the Python version that runs this script."""
    code = f"import sys, pip; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    try:
        result = subprocess.run([str(python_of(environment)), "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return result.returncode == 0


def pip(environment: Path, *arguments: str) -> bool:
    """Run pip's install in the environment and return whether it went well."""
    command = [
        str(python_of(environment)),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
    ]
    return subprocess.run([*command, *arguments], cwd=ROOT, check=False, stdout=sys.stderr).returncode == 0


def install(environment: Path, lock: Path, extra: str, torch_index: str) -> None:
    """Install the locked versions, then ScoreSep itself, editable.

    Parameters
    ----------
    environment : Path
    lock : Path
        The lock file.
    extra : str
        What pyproject.toml calls the same dependencies: ``""`` or ``"[dev]"``.
    torch_index : str
        Where torch is taken from, or empty for the usual index.
    """
    say(f"Installing what {lock.name} lists (the first time: several hundred megabytes, some minutes)")
    locked_torch = next(line for line in (PACKAGING / "lock.txt").read_text().split() if line.startswith("torch=="))
    if torch_index and not pip(environment, "--no-deps", "--index-url", torch_index, locked_torch):
        raise SetupError(f"{locked_torch} could not be installed from {torch_index}; check the address.")
    if not pip(environment, "--quiet", "--use-pep517", "-r", str(lock)):
        here = (sys.platform, platform.machine(), sys.version_info[:2])
        if here == ("linux", "x86_64", OLDEST_PYTHON):  # where every locked version is known to exist
            raise SetupError("The packages could not be installed; check the network and look at the lines above.")
        say("Not all locked versions exist for this system or Python; taking the nearest that fit instead.")
        if not pip(environment, "hatchling", f"{ROOT}{extra}"):
            raise SetupError("The packages could not be installed; Python 3.11 is the version that is tested.")
    if not pip(environment, "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)):
        raise SetupError("ScoreSep itself could not be installed; look at the lines above.")


def ready_environment(name: str, lock: Path, extra: str, torch_index: str) -> Path:
    """Return the interpreter of an environment in which everything is installed.

    A stamp in the environment says what was installed, so that the next run has nothing to do.
    """
    environment = ROOT / name
    stamp = environment / "scoresep-stamp.txt"
    content = hashlib.sha256(torch_index.encode())
    for path in (PACKAGING / "lock.txt", lock, ROOT / "pyproject.toml"):
        content.update(path.read_bytes())
    is_usable = works(environment)
    if is_usable and stamp.is_file() and stamp.read_text() == content.hexdigest():
        return python_of(environment)
    start_s = time.monotonic()
    if not is_usable:
        make_environment(environment)
    stamp.unlink(missing_ok=True)
    install(environment, lock, extra, torch_index)
    # numba compiles a part of librosa at its first import, 17 s of CPU in every process until the first has finished
    compiled = "import librosa.core.spectrum, librosa.util.utils"
    subprocess.run([str(python_of(environment)), "-c", compiled], cwd=ROOT, check=False)
    stamp.write_text(content.hexdigest())
    say(f"Ready after {time.monotonic() - start_s:.0f} s")
    return python_of(environment)


# ---- the commands


def has_screen() -> bool:
    """Whether a window can be opened."""
    return sys.platform != "linux" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def demo_arguments(arguments: list[str]) -> list[str]:
    """Return the command line of ``scoresep demo``, without a window where there is no screen."""
    if "--no-window" not in arguments and not has_screen():
        say("There is no screen here, so the demo writes its files and opens no window.")
        arguments = [*arguments, "--no-window"]
    return ["-m", "scoresep", "demo", *arguments]


def main() -> int:
    """Set up, run, and return the exit code."""
    check_python()
    parser = argparse.ArgumentParser(allow_abbrev=False, description="Set ScoreSep up and run its demo or its tests.")
    parser.add_argument("command", choices=("demo", "test"), help="what to run; further arguments go to it")
    parser.add_argument(
        "--torch-index",
        metavar="URL",
        default=os.environ.get("SCORESEP_TORCH_INDEX", ""),
        help="take torch from this index, such as https://download.pytorch.org/whl/cpu (or set SCORESEP_TORCH_INDEX)",
    )
    options, arguments = parser.parse_known_args()
    provide_system_packages()
    if options.command == "demo":
        python = ready_environment(".venv", PACKAGING / "lock.txt", "", options.torch_index)
        command = demo_arguments(arguments)
    else:
        python = ready_environment(".venv-dev", PACKAGING / "lock-dev.txt", "[dev]", options.torch_index)
        command = [str(PACKAGING / "check.py"), *arguments]
    return subprocess.run([str(python), *command], check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SetupError as error:
        say(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
