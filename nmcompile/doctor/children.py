"""Jobs done by probes in processes of their own, until they are done or the time is over."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe.py")
Job = dict[str, Any]
Answer = dict[str, Any]


def answers(queues: Sequence[list[Job]], seconds: float) -> list[list[Answer]]:
    """What probes say of the jobs, one probe for each queue, all at once.

    Each answer has `state` and perhaps `told`; "untried" where the time was over, "broken" for a
    job that ended its process.
    """
    until = time.monotonic() + seconds
    with ThreadPoolExecutor(len(queues)) as pool:
        return list(pool.map(lambda jobs: _queue(jobs, until, seconds), queues))


def _queue(jobs: list[Job], until: float, seconds: float) -> list[Answer]:
    found: list[Answer] = []
    while len(found) < len(jobs):
        done, begun, code = _probe(jobs[len(found):], until)
        found += done
        if len(found) == len(jobs):
            break
        if code is None:
            slow = {"state": "untried", "told": f"takes longer than {seconds:g} s in all"}
            rest = {"state": "untried", "told": f"no time within {seconds:g} s"}
            return [*found, *([slow] if begun else []),
                    *[rest] * (len(jobs) - len(found) - begun)]
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        found.append({"state": "broken", "told": f"ends the Python that imports it ({how})"})
    return found


def _probe(jobs: list[Job], until: float) -> tuple[list[Answer], bool, int | None]:
    """Answers of one process, whether it had begun another job, its code; None if time was over."""
    with tempfile.TemporaryFile() as out:
        with subprocess.Popen(
                [sys.executable, "-W", "ignore", str(PROBE)], stdin=subprocess.PIPE, stdout=out,
                stderr=subprocess.DEVNULL, start_new_session=True) as process:
            code: int | None = None
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(json.dumps(jobs).encode(),
                                        timeout=max(0.0, until - time.monotonic()))
                    code = process.returncode
            finally:
                _end(process)
        out.seek(0)
        lines = [json.loads(line) for line in out.read().splitlines() if line.endswith(b"}")]
    done = [line for line in lines if "done" in line]
    return done, any("begun" in line and line["begun"] == len(done) for line in lines), code


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and those that it started."""
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
