"""The JSON Schema of report.json: `python -m nmcompile.report.json_schema` writes it anew."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from nmcompile.files import write_json
from nmcompile.report.schema import FORMAT, ReportFile

SCHEMA_FILE = "report.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def report_schema() -> dict[str, Any]:
    """What report.json may hold, as JSON Schema of the draft that `DIALECT` names."""
    return {"$schema": DIALECT, **ReportFile.model_json_schema(),
            "title": f"report.json of nmcompile, format {FORMAT}"}


def published_schema() -> Path:
    """The file that holds it."""
    return Path(str(files("nmcompile.report").joinpath(SCHEMA_FILE)))


if __name__ == "__main__":
    write_json(published_schema(), report_schema())
