"""What all pages have in common: the template's filters, the style, and the code that draws."""

from __future__ import annotations

import json
import re
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from importlib.resources import files
from typing import Any

import vl_convert
from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from nmcompile import __version__
from nmcompile.report.page.spec import Spec
from nmcompile.report.units import percent, si

ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})(?!\d)")
BEYOND = 1e9  # a share that is none, of which three digits are told
VEGA_LITE = "6.4"  # of spec.SCHEMA
# Vega, Vega-Lite and vega-embed, which vl-convert holds
BUNDLE = "window.vegaEmbed = vegaEmbed;"


def framed(
    template: str, specs: dict[str, Spec], sections: list[tuple[str, str]], **told: Any
) -> str:
    """A page of `template` as HTML that loads nothing.

    specs     name of each chart -> its specification
    sections  place in the page and heading of each part
    told      what the template shows
    """
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        loader=FunctionLoader(_part))
    environment.filters |= {
        "si": si, "percent": as_percent, "share": percent, "number": "{:,}".format,
        "sentence": _sentence, "papers": _papers, "kind_head": "{}, J".format, "parted": _parted,
        "words": lambda text: text.replace("_", " ")}
    return environment.get_template(template).render(
        charts=sorted(specs), titles={key: spec["description"] for key, spec in specs.items()},
        sections=sections, version=__version__, specs=_script(specs), library=_library(),
        style=Markup(_part("page.css")), script=Markup(_part("page.js")), **told)


def as_percent(share: float, digits: int = 1) -> str:
    """A share in percent, rounded half up as the charts round it."""
    if abs(share) >= BEYOND:
        return f"{100 * share:.3g} %"
    places = Decimal(1).scaleb(-digits)
    return f"{Decimal(100 * share).quantize(places, ROUND_HALF_UP)} %"


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


def _papers(text: str) -> Markup:
    """`text` with each number of arXiv a link to its paper."""
    parts = ARXIV.split(text)
    linked = [Markup('arXiv <a href="https://arxiv.org/abs/{0}">{0}</a>').format(part)
              if k % 2 else escape(part) for k, part in enumerate(parts)]
    return Markup("").join(linked)


def _parted(name: str) -> Markup:
    """A constant's name, which a line may break behind each `.` and `_` alone."""
    return Markup("").join(
        Markup("{}<wbr>").format(part) if part in (".", "_") else escape(part)
        for part in re.split(r"([._])", name))


def _sentence(text: str) -> str:
    """`text` with a capital and a full stop."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
