"""Tries one thing after the other in a process of its own, which any of them may end.

Run as a file, with jobs as JSON on stdin; a line of JSON for each begun and each done on stdout.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import sys
from typing import Any


def main() -> None:
    """Do the jobs."""
    del sys.path[0]  # this folder, which no other program has there
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what modules print as they are imported
    for number, job in enumerate(json.load(sys.stdin)):
        print(json.dumps({"begun": number}), file=out, flush=True)
        try:
            told = DO[job["kind"]](job)
        except BaseException as error:  # whatever a module raises, exits included
            told = {"state": "broken", "told": _said(error),
                    "missing": error.name if isinstance(error, ModuleNotFoundError) else None}
        print(json.dumps({"done": number, **told}), file=out, flush=True)
    out.flush()
    os._exit(0)  # without what modules do at the end


def _import(job: dict[str, Any]) -> dict[str, Any]:
    module = importlib.import_module(job["module"])
    told: dict[str, Any] = {"state": "works"}
    if job["module"] == "numba":
        told["threads"] = module.config.NUMBA_NUM_THREADS
    if job["module"] == "torch":
        told["threads"] = module.get_num_threads()
    return told


def _gpu(job: dict[str, Any]) -> dict[str, Any]:
    torch = importlib.import_module("torch")
    names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    told = f"{', '.join(names)} (CUDA {torch.version.cuda})" if names else "none that torch can use"
    return {"state": "told", "told": told, "gpus": len(names)}


def _plugin(job: dict[str, Any]) -> dict[str, Any]:
    _entry(job).load()
    return {"state": "works", "told": job["value"]}


def _device(job: dict[str, Any]) -> dict[str, Any]:
    device = _entry(job).load()()
    from nmcompile.device import Sought

    if not isinstance(device, Sought):
        return {"state": "works", "told": "loads; nmc validate reaches it by its address"}
    standing = device.look()
    return {"state": standing.state, "told": standing.told, "todo": standing.hint}


def _target(job: dict[str, Any]) -> dict[str, Any]:
    from nmcompile.target import installed, parse_target

    target = parse_target(installed()[job["name"]], f"{job['name']}.toml")
    return {"state": "works", "told": target.title}


def _entry(job: dict[str, Any]) -> importlib.metadata.EntryPoint:
    return importlib.metadata.EntryPoint(job["name"], job["value"], job["group"])


def _said(error: BaseException) -> str:
    from nmcompile.errors import NmcError

    said = " ".join(str(error).split())
    if isinstance(error, NmcError):
        return said
    return f"{type(error).__name__}: {said}"[:300].rstrip(": ")


DO = {"import": _import, "gpu": _gpu, "plug-in": _plugin, "device": _device, "target": _target}

if __name__ == "__main__":
    main()
