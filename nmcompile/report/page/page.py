"""The page from figures: a template, Vega-Lite charts, and the library that draws them."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup
from scipy.stats import binomtest

from nmcompile.report.advice import advice
from nmcompile.report.certainty import OF_TIME, certainty, estimates, guessed_share
from nmcompile.report.page.charts import charts
from nmcompile.report.page.chip import MOST_CORES
from nmcompile.report.schema import KINDS
from nmcompile.report.units import si
from nmcompile.report.yardsticks.told import NOT_MEASURED, NOTE, counted, estimated, whose

Figures = dict[str, Any]
VEGA_LITE = "6.4"  # of spec.SCHEMA
# Vega, Vega-Lite and vega-embed, which vl-convert holds
BUNDLE = "window.vegaEmbed = vegaEmbed;"


def page(figures: Figures, name: str) -> str:
    """The page of a build called `name`, as HTML that loads nothing.

    Deterministic: the same figures and versions give the same text.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True,
                              lstrip_blocks=True)
    environment.filters |= {
        "si": si, "percent": _percent, "number": "{:,}".format, "sentence": _sentence,
        "words": lambda text: text.replace("_", " "), "kind_head": "{}, J".format}
    specs = charts(figures)
    template = environment.from_string(_part("page.html.j2"))
    return template.render(
        figures=figures, name=name, kinds=KINDS, advice=advice(figures), charts=sorted(specs),
        titles={key: spec["description"] for key, spec in specs.items()},
        interval=_interval(figures), certainty=certainty(figures),
        guessed=guessed_share(figures), guessed_times=estimates(figures, *OF_TIME),
        yardsticks=_yardsticks(figures["yardsticks"]), most_cores=MOST_CORES,
        shared=_shared(figures),
        specs=_script(specs), library=_library(), style=Markup(_part("page.css")),
        script=Markup(_part("page.js")))


def _yardsticks(told: Figures | None) -> Figures | None:
    """What the page shows of the common yardsticks."""
    return told and {"whose": whose(told), "counted": counted(told), "estimated": estimated(told),
                     "not_measured": NOT_MEASURED, "note": NOTE}


def _shared(figures: Figures) -> bool:
    """Whether several layers share a core."""
    names = {row["name"] for row in figures["layers"]}
    return not names.issuperset(figures["floor"]["cores"]["layers"])


def _script(value: Any) -> Markup:
    """JSON that stays within a script element whatever names it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("<", "\\u003c"))


@cache
def _library() -> Markup:
    code = vl_convert.javascript_bundle(BUNDLE, vl_version=VEGA_LITE)
    return Markup(code.replace("</script", "<\\/script"))


def _part(name: str) -> str:
    return files("nmcompile.report.page").joinpath(name).read_text("utf-8")


def _percent(share: float, digits: int = 1) -> str:
    return f"{100 * share:.{digits}f} %"


def _sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def _interval(figures: Figures) -> tuple[float, float] | None:
    """Where the accuracy of more such samples lies with 95 %: Wilson's score interval."""
    if figures["accuracy"] is None:
        return None
    right = round(figures["accuracy"] * figures["samples"])
    found = binomtest(right, figures["samples"]).proportion_ci(0.95, "wilson")
    return float(found.low), float(found.high)
