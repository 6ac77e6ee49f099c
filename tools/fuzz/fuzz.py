"""Damage model files and see that `nmc inspect` reads or refuses each one in one line.

    PYTHONPATH=tests python tools/fuzz/seeds.py SEEDS
    python tools/fuzz/fuzz.py SEEDS --out FOUND --minutes 60

Each damaged file is read by a process of its own, which may neither run code that the file names,
nor write, nor start a program but the walk through an HDF5 file, nor take more than --gib or
--seconds, nor end in a traceback. A file that breaks this is kept in FOUND with what was seen.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from types import CodeType
from typing import Any

import torch
from damage import damaged

from nmcompile import hdf5
from nmcompile.cli import main as nmc

WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
STARTS = {"os.exec", "os.posix_spawn", "os.spawn", "os.system", "subprocess.Popen", "pty.spawn"}
TRUSTED = (sys.prefix, sys.base_prefix, str(Path(__file__).parents[2]), "<frozen",
           "<_remote_module")  # whose code may run: what is installed


def main() -> None:
    """Fuzz until the time is over; print a line a minute and exit with 1 where a file broke."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("seeds", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seconds", type=float, default=60, help="that one file may take")
    parser.add_argument("--gib", type=float, default=8, help="of memory that one file may take")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    seeds = sorted(path for path in options.seeds.iterdir() if path.suffix not in (".npz", ".py"))
    torch.set_num_threads(1)  # processes that fork have one thread
    for seed in seeds:
        inspect(seed, seed)  # imports what reading needs, so that the children need not
    rng = random.Random(options.seed)
    begin = told = time.monotonic()
    tried: Counter[str] = Counter()
    slowest, broken, case = 0.0, 0, 0
    while time.monotonic() < begin + 60 * options.minutes:
        seed = seeds[case % len(seeds)]
        path = options.out / f"case{os.getpid()}{seed.suffix}"
        path.write_bytes(damaged(seed, rng))
        at = time.monotonic()
        fault = outcome(path, seed, options)
        slowest = max(slowest, time.monotonic() - at)
        tried[seed.suffix] += 1
        case += 1
        if fault:
            broken += 1
            kept = options.out / f"{options.seed}-{case}{seed.suffix}"
            path.replace(kept)
            kept.with_suffix(f"{seed.suffix}.txt").write_text(fault)
            print(f"{kept}: {fault.strip().splitlines()[-1][:200]}", flush=True)
        if time.monotonic() > told + 60:
            told = time.monotonic()
            print(f"{(told - begin) / 60:.0f} min, {dict(tried)}, {broken} broke, slowest "
                  f"{slowest:.1f} s, largest child {peak_gib():.2f} GiB", flush=True)
    path.unlink(missing_ok=True)
    sys.exit(broken > 0)


def peak_gib() -> float:
    """The most memory that one file has taken."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / (1 << 20)


def outcome(path: Path, seed: Path, options: argparse.Namespace) -> str:
    """What was wrong with how `path`, a damaged `seed`, was read; empty where nothing was."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        signal.alarm(int(options.seconds))
        with os.fdopen(write_end, "w") as report:
            report.write(inspected(path, seed, options))
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, errors="replace") as report:
        said = report.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"{said}\nended by signal {signal.Signals(os.WTERMSIG(status)).name}"
    return said


def inspected(path: Path, seed: Path, options: argparse.Namespace) -> str:
    """What was wrong, as seen by the process that reads `path`."""
    size = int(options.gib * (1 << 30)) + _virtual_bytes()
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    faults: list[str] = []
    own_code = str(seed.with_suffix(".py"))
    sys.addaudithook(lambda event, arguments: _audit(faults, own_code, event, arguments))
    try:
        code, said = inspect(path, seed)
    except BaseException:  # a traceback, which a user would meet
        return traceback.format_exc()
    lines = said.splitlines()
    if faults:
        return "\n".join(faults)
    if code not in (0, 2) or (code == 2 and len(lines) != 1):
        return f"exit code {code}, {len(lines)} lines: {said}"
    if code == 2 and lines[0].startswith("nmc: error: memory:"):
        return f"more than {options.gib} GiB"
    if code == 2 and not lines[0].startswith("nmc: error: "):
        return f"unclear: {lines[0]}"
    return ""


def inspect(path: Path, seed: Path) -> tuple[object, str]:
    """Exit code and standard error of `nmc inspect`, with the sample and code of the seed."""
    err = io.StringIO()
    sample, code = seed.with_suffix(".npz"), seed.with_suffix(".py")
    given = ["--sample", str(sample)] if sample.exists() else []
    given += ["--code", f"{code}:Net"] if code.exists() else []
    sys.argv = ["nmc", "inspect", str(path), *given]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                nmc()
        except SystemExit as request:
            return request.code or 0, err.getvalue()
    return 0, err.getvalue()


def _virtual_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def _audit(faults: list[str], own_code: str, event: str, arguments: tuple[Any, ...]) -> None:
    if event in STARTS and not _is_walk(arguments):
        faults.append(f"started {arguments!r}"[:500])
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & WRITES:
        if not str(arguments[0]).startswith(("/dev/", str(Path.home() / ".cache"))):
            faults.append(f"opened {arguments[0]!r} for writing")
    elif event == "exec" and isinstance(arguments[0], CodeType):
        where = arguments[0].co_filename
        if not where.startswith(TRUSTED) and where not in ("<string>", own_code):
            faults.append(f"ran code of {where}")
    elif event == "pickle.find_class":
        faults.append(f"unpickled {arguments!r}")


def _is_walk(arguments: tuple[Any, ...]) -> bool:
    return len(arguments) > 1 and list(arguments[1])[1:4] == ["-I", "-S", str(hdf5.WALK)]


if __name__ == "__main__":
    main()
