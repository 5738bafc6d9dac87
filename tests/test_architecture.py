"""The shape of the code: what starting loads, how long it takes, how large files and functions grow.

Who imports whom is held by the import contracts in pyproject.toml, which packaging/check.py runs.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import scoresep
from scoresep import resources

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for folder in ("scoresep", "packaging", "tests") for path in (ROOT / folder).rglob("*.py"))

FUNCTION_LINES = 60  # without the docstring
IMPORT_S = 0.3

# Rooms, in which every public function with three or more parameters says what they are.
ROOMS = ("model", "edits", "engines", "files", "playback", "session", "cli", "qt")

HEAVY = ("torch", "PySide6", "pyqtgraph", "music21", "librosa", "numba", "hmmlearn", "sklearn")


def run_python(code: str) -> str:
    """Run a few lines in a fresh interpreter and return what they print."""
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def long_functions(source: str) -> Iterator[tuple[str, int]]:
    """Yield the name and length of every function that is too long, docstrings not counted."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node) is not None
            body = node.body[1:] if has_docstring else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            if lines > FUNCTION_LINES:
                yield node.name, lines


def undocumented_parameters(source: str, inherited: frozenset[str] = frozenset()) -> Iterator[tuple[str, set[str]]]:
    """Yield public functions with three or more parameters, and those that their numpydoc section does not name.

    Methods of derived classes may leave them to the class that they derive from: those named in `inherited`; and any
    function to the one that its first line refers to (see `base.Separator`).
    """
    scopes: list[ast.Module | ast.ClassDef] = [ast.parse(source)]
    while scopes:
        scope = scopes.pop()
        derives = isinstance(scope, ast.ClassDef) and bool(scope.bases)
        for node in scope.body:
            if getattr(node, "name", "_").startswith("_"):
                continue
            if isinstance(node, ast.ClassDef):
                scopes.append(node)
            elif isinstance(node, ast.FunctionDef):
                a = node.args
                given = [*a.posonlyargs, *a.args, *a.kwonlyargs, *filter(None, (a.vararg, a.kwarg))]
                names = {arg.arg for arg in given} - {"self", "cls"}
                section = re.search(
                    r"^Parameters\n-+\n(.*?)(?=^\w+\n---|\Z)", ast.get_docstring(node) or "", re.MULTILINE | re.DOTALL
                )
                heads = re.findall(r"^\S.*", section[1], re.MULTILINE) if section else []
                missing = names - set(re.findall(r"\w+", " ".join(head.partition(" : ")[0] for head in heads)))
                refers = re.match(r".*see `[\w.]+`\.", ast.get_docstring(node) or "")
                if len(names) >= 3 and missing and not refers and not (derives and node.name in inherited):
                    yield node.name, missing


def described_methods(source: str) -> set[str]:
    """Return the methods of base classes whose docstring has a section of parameters."""
    classes = [c for c in ast.walk(ast.parse(source)) if isinstance(c, ast.ClassDef) and not c.bases]
    methods = [m for c in classes for m in c.body if isinstance(m, ast.FunctionDef)]
    return {m.name for m in methods if "Parameters\n---" in (ast.get_docstring(m) or "")}


@pytest.mark.parametrize("room", ROOMS)
def test_functions_say_what_their_parameters_are(room: str) -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "scoresep" / room).rglob("*.py"))}
    inherited = frozenset().union(*map(described_methods, sources.values()))
    found = [
        f"{path.relative_to(ROOT)}: {name} does not say what {', '.join(sorted(missing))} is"
        for path, source in sources.items()
        for name, missing in undocumented_parameters(source, inherited)
    ]
    assert found == []


def test_functions_stay_readable() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name} has {lines} lines"
        for path in SOURCES
        for name, lines in long_functions(path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("length, is_long", [(FUNCTION_LINES, False), (FUNCTION_LINES + 1, True)])
def test_the_measure_of_functions_leaves_docstrings_out(length: int, is_long: bool) -> None:
    source = 'def f():\n    """One.\n\n    Two.\n    """\n' + "    x = 1\n" * length
    assert bool(list(long_functions(source))) is is_long


@pytest.mark.parametrize("module", ["scoresep", "scoresep.cli", "scoresep.__main__"])
def test_starting_loads_nothing_heavy(module: str) -> None:
    printed = run_python(f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))")
    assert set(json.loads(printed)) & set(HEAVY) == set()


@pytest.mark.parametrize("module", ["scoresep.session.session", "scoresep.qt.window.main_window"])
def test_librosa_and_torch_are_for_workers(module: str) -> None:
    printed = run_python(f"import {module}, sys, json; print(json.dumps(sorted(sys.modules)))")
    assert set(json.loads(printed)) & {"librosa", "numba", "torch"} == set()


def test_import_is_quick() -> None:
    code = "import time; start_s = time.process_time(); import scoresep; print(time.process_time() - start_s)"
    best_s = min(float(run_python(code)) for _ in range(5))
    assert best_s < IMPORT_S


def test_the_drawing_of_the_layers_is_true() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = text.split("<!-- layers: the test reads this drawing -->")[1].split("```")[1].split("\n")[1:-1]
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (held,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    assert drawn == held


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_documents_name_files_that_are_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:scoresep|tests|packaging|files|engines|model|session|edits|qt)/[\w/.-]+)`", text))
    assert len(named) > 8
    missing = [n for n in named if not (ROOT / n).exists() and not (ROOT / "scoresep" / n).exists()]
    assert missing == []


def test_version_has_one_source() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "version" not in project
    assert scoresep.__version__.count(".") == 2


def test_resources_are_found_by_their_name() -> None:
    assert resources.resource_path("demo").is_dir()
    with pytest.raises(FileNotFoundError, match="no-such-file"):
        resources.resource_path("no-such-file")


def test_packaging_folder_never_hides_the_library_of_that_name() -> None:
    # The folder lies on the path of whoever starts Python here; as a package it would hide PyPI's `packaging`.
    assert not (ROOT / "packaging" / "__init__.py").exists()
    assert "site-packages" in run_python("import packaging; print(packaging.__file__)")
