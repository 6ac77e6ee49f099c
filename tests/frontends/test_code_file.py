"""The user's own code is a file or a module, and what is wrong with it is said in a line."""

from pathlib import Path

import pytest

from nmcompile.errors import NmcError
from nmcompile.frontends.loading.code_file import load_code, make


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a file, a package, and code that fails."""
    monkeypatch.chdir(tmp_path)
    package = tmp_path / "lab_of_ours"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for place in (tmp_path / "net.py", package / "net.py"):
        place.write_text("def made():\n    return 7\n\ndef asks(size):\n    return size\n\nONE = 1\n")
    (package / "broken.py").write_text("import a_module_that_is_not_there\n")
    (package / "loop.py").write_text("raise ModuleNotFoundError('no gymnasium', name='gymnasium')\n")
    return tmp_path


@pytest.mark.parametrize("code", ["net.py:made", "lab_of_ours.net:made"])
def test_a_file_and_a_module_give_what_they_hold(code: str) -> None:
    assert make(load_code(code)[1], code) == 7


@pytest.mark.parametrize(("code", "said"), [
    ("net.py", "--loop net.py: names no class"),
    ("none.py:made", "--loop none.py: is neither a file nor a module that Python finds"),
    ("lab_of_ours.none:made", "--loop lab_of_ours.none: is neither a file nor a module"),
    ("lab_of_ours.broken:made", "--loop lab_of_ours.broken: fails when it is run: "
     "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
    ("lab_of_ours.loop:made", "--loop lab_of_ours.loop: fails when it is run: ModuleNotFoundError: "
     "no gymnasium. Type pip install '.[loop]' in nmcompile's folder."),
    ("./none.txt:made", "--loop ./none.txt: is no file"),
    ("net.py:ONE", "--loop net.py: 'ONE' is not known"),
])
def test_what_cannot_be_loaded_is_named_by_the_users_option(code: str, said: str) -> None:
    with pytest.raises(NmcError) as refused:
        load_code(code, "--loop")
    assert str(refused.value).startswith(said)


def test_what_needs_arguments_is_refused() -> None:
    with pytest.raises(NmcError, match=r"--loop net\.py:asks: needs arguments: size"):
        make(load_code("net.py:asks")[1], "net.py:asks", "--loop")
