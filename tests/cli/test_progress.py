"""What is told of long work where stderr is no terminal."""

from nmcompile.cli import _progress
from nmcompile.cli._progress import stages_bar


def test_a_stage_is_told_only_where_the_last_line_is_long_ago(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(_progress.time, "monotonic", lambda: now[0])
    with stages_bar() as tell:
        for seconds, stage in ((1, "load"), (30, "trace"), (40, "lower"), (60, "quantize lif1")):
            now[0] = float(seconds)
            tell(stage)
    assert capsys.readouterr().err == "nmc: trace\nnmc: quantize lif1\n"
