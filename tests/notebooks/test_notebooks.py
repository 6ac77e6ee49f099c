"""The notebooks of examples/notebooks run as they stand, and show what they showed."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "notebooks.py"
NAMES = ("choosing_a_chip", "first_deployment", "validating_a_board", "why_did_my_accuracy_drop")
_spec = importlib.util.spec_from_file_location("notebooks_tool", TOOL)
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)


def kept(name):
    return nbformat.read(tool.NOTEBOOKS / f"{name}.ipynb", nbformat.NO_CONVERT)


def shown(text):
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output], id="cell")])


def test_these_are_the_notebooks():
    assert tuple(sorted(path.stem for path in tool.NOTEBOOKS.glob("*.ipynb"))) == NAMES


@pytest.mark.parametrize("name", ["first_deployment", *(
    pytest.param(name, marks=pytest.mark.slow) for name in NAMES if name != "first_deployment")])
def test_a_notebook_runs_in_a_fresh_kernel_and_shows_what_it_showed(name):
    done = subprocess.run([sys.executable, TOOL, "--check", name], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert done.stdout == f"{name}.ipynb: alike\n"


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_was_run_whole_and_holds_nothing_of_the_machine_that_ran_it(name):
    notebook = kept(name)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not any(cell.metadata for cell in notebook.cells)
    text = json.dumps(notebook)
    for sign in ("/root/", "/home/", "/tmp/", "/work", "site-packages", "stderr"):
        assert sign not in text, sign
    assert (tool.NOTEBOOKS / f"{name}.ipynb").stat().st_size < tool.LARGEST


@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_has_one_heading_of_the_first_level_at_its_top(name):
    lines = [line for cell in kept(name).cells if cell.cell_type == "markdown"
             for line in cell.source.splitlines()]
    assert [line for line in lines if line.startswith("# ")] == lines[:1]


@pytest.mark.parametrize(("one", "other"), [
    ("accuracy 94.66 %", "accuracy 94.16 %"), ("58,432 spikes", "58,433 spikes"),
    ("from \N{MINUS SIGN}100 to 48", "from \N{MINUS SIGN}101 to 48"),
    ("states within 4e-06 (of up to 27)", "states within 1e-06 (of up to 27)")])
def test_numbers_that_are_close_are_alike(one, other):
    assert tool.differences(shown(one), shown(other)) == []


@pytest.mark.parametrize(("one", "other"), [
    ("accuracy 94.66 %", "accuracy 84.64 %"), ("loihi2 fits", "loihi2 does not fit"),
    ("error -3", "error 3"), ("within 4e-06 (of up to 27)", "within 1e-03 (of up to 27)"),
    ("one line", "one line\nand another")])
def test_other_words_and_other_numbers_are_differences(one, other):
    assert tool.differences(shown(one), shown(other))


def test_of_a_picture_its_labels_are_compared_and_not_its_coordinates():
    def picture(place, label):
        output = nbformat.v4.new_output("display_data", data={
            "image/svg+xml": f'<svg><path d="M{place}" aria-label="{label}"/></svg>'})
        return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("", outputs=[output], id="cell")])

    assert tool.differences(picture(1, "layer: lif1"), picture(7, "layer: lif1")) == []
    assert tool.differences(picture(1, "layer: lif1"), picture(1, "layer: lif2"))
