"""How sentences and tables are laid out, and when they are coloured."""

import io

import pytest
from helpers.terminal import ESCAPE

from nmcompile.cli._terminal import coloured, say, shortened, show_table

COLUMNS = ("layer", "neurons", "spikes", "energy", "how")
NAMES = ("encoder.blocks.0.attention.lif1", "encoder.blocks.1.attention.lif1")
ROWS = [(NAMES[0], "1,234,567", "9,876,543,210", "12.3 mJ", "own scales, of each channel"),
        (NAMES[1], "7", "0", "1.5 J", "the same")]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")


def shown(capsys, rows=ROWS, **options):
    capsys.readouterr()
    show_table(COLUMNS, rows, text=("how",), **options)
    return capsys.readouterr().out


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 160])
def test_no_number_is_broken_and_no_line_is_too_long(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    told = shown(capsys)
    for number in ("1,234,567", "9,876,543,210", "12.3 mJ"):
        assert told.count(number) == 1
    assert max(map(len, told.splitlines())) <= columns


def test_a_table_that_is_too_wide_goes_on_below_with_its_names_again(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    blocks = shown(capsys).split("\n\n")
    assert [block.splitlines()[0].split() for block in blocks] == [
        ["layer", "neurons"], ["layer", "spikes"], ["layer", "energy"], ["layer", "how"]]


def test_names_are_shortened_in_the_middle_and_stay_apart(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    first = [line.split()[0] for line in shown(capsys).splitlines()[1:3]]
    assert first == ["enc…0.attention.lif1", "enc…1.attention.lif1"]
    assert shortened("a_long_name_of_a_layer", 11) == "a_lon…layer"
    assert shortened("short", 11) == "short"


def test_where_stdout_is_no_terminal_tables_are_160_columns_wide(capsys, monkeypatch):
    monkeypatch.setenv("LINES", "10")
    told = shown(capsys)
    assert NAMES[0] in told
    assert len(told.splitlines()) == 3
    assert shown(capsys, [(*row[:4], "word " * 60) for row in ROWS]).splitlines()[1].endswith("word")


def test_a_table_without_rows_is_not_there(capsys):
    assert shown(capsys, []) == ""


def test_what_a_terminal_would_obey_in_a_name_is_spelled_out(capsys):
    assert "\x1b" not in shown(capsys, [("\x1b[2Jlif", "1", "2", "3", "[bold]x")])
    say("layer \x1b[31mred")
    assert capsys.readouterr().out == "layer \\x1b[31mred\n"
    assert "[bold]x" in shown(capsys, [("lif", "1", "2", "3", "[bold]x")])


@pytest.mark.parametrize(("variables", "terminal", "expected"), [
    ({}, True, True),
    ({}, False, False),
    ({"TERM": "dumb"}, True, False),
    ({"NO_COLOR": "1"}, True, False),
    ({"NO_COLOR": ""}, True, True),
    ({"FORCE_COLOR": "1"}, False, True),
    ({"FORCE_COLOR": "0"}, True, False),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
])
def test_terminals_are_coloured_unless_variables_say_otherwise(
        monkeypatch, variables, terminal, expected):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert coloured(Terminal() if terminal else io.StringIO()) is expected


def test_colours_change_nothing_but_colours(capsys, monkeypatch):
    plain_text = shown(capsys)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ESCAPE.search(shown(capsys))
    assert [line.rstrip() for line in ESCAPE.sub("", shown(capsys)).splitlines()] == (
        plain_text.splitlines())


def test_on_a_terminal_sentences_are_broken_between_words_behind_their_label(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "40")
    say("energy    274 µJ a sample, 164 mJ in all, of 599 samples")
    assert capsys.readouterr().out.splitlines() == [
        "energy    274 µJ a sample, 164 mJ in", "          all, of 599 samples"]
    say("A sentence without a label has no such place to go on")
    assert capsys.readouterr().out.splitlines() == [
        "A sentence without a label has no such", "place to go on"]
