"""Speed and memory of SANA-FE's DVS example: SANA-FE's timing models against ours, in one run.

    NMC_SANAFE_PYTHON=... python tools/bench/sanafe_speed.py [STEPS OF ITS cycle, 20]

SANA-FE 2.2.9 runs in its own interpreter (`tools/oracles/make_env.py sanafe DIR`), both on the same
cores for 1,000 steps; its `cycle` model only for the first few, since it takes seconds for each.
Ours is `simulate`: spikes, events and time. Its kernels are compiled by a first run that is not
counted. Seconds are of the clock; processor time is printed beside them, since other work on the
machine makes the two differ.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

ORACLES = Path(__file__).parents[1] / "oracles"
STEPS = 1000
PLACE = "from importlib.resources import files; print(files('sanafe') / 'examples' / " \
        "'dvs_challenge.npz')"


def main() -> None:
    """Print a line for each model, and the ratios."""
    if len(sys.argv) == 4 and sys.argv[1] == "ours":
        print(json.dumps(ours(Path(sys.argv[2]), int(sys.argv[3]))))
        return
    python = os.environ.get("NMC_SANAFE_PYTHON")
    if python is None:
        sys.exit("NMC_SANAFE_PYTHON names no Python with sanafe")
    few = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    data = told([python, "-c", PLACE]).strip()
    theirs = {model: json.loads(told([python, ORACLES / "sanafe_timed.py", model, str(steps)])
                                .splitlines()[-1])
              for model, steps in (("simple", STEPS), ("detailed", STEPS), ("cycle", few))}
    mine = {steps: json.loads(told([sys.executable, __file__, "ours", data, str(steps)])
                              .splitlines()[-1]) for steps in (STEPS, few)}
    for model, found in theirs.items():
        report(f"SANA-FE {model}", found)
    for found in mine.values():
        report("nmcompile cycle", found)
    for model, found in theirs.items():
        own = mine[found["steps"]]
        ratios(model, found, own)


def told(command: list[object]) -> str:
    """What a command prints."""
    done = subprocess.run([str(part) for part in command], check=True, stdout=subprocess.PIPE,
                          text=True, timeout=7200)
    return done.stdout


def ours(data: Path, steps: int) -> dict[str, float]:
    """Our figures; the last of three runs is the one that counts."""
    began = time.perf_counter()
    sys.path.insert(0, str(ORACLES))
    from sanafe_example import example, no_input

    from nmcompile.simulator import TIMINGS, simulate

    program = example(data)
    timing = TIMINGS["cycle"](program)
    load_s = time.perf_counter() - began
    for _ in range(3):
        wall, busy = time.perf_counter(), time.process_time()
        run = simulate(program, no_input(steps), timing=timing)
        wall_s, cpu_s = time.perf_counter() - wall, time.process_time() - busy
    return {"steps": steps, "load_s": load_s, "wall_s": wall_s, "cpu_s": cpu_s,
            "bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "sim_time": float(run.step_s.sum()),
            "packets_sent": int(run.counts.packets_out.sum())}


def report(title: str, found: dict[str, float]) -> None:
    """Print what one model took."""
    print(f"{title:>16} {found['steps']:>5} steps: {found['wall_s']:8.2f} s "
          f"({found['cpu_s']:.2f} s of processors), load {found['load_s']:5.1f} s, "
          f"{found['bytes'] / 1e6:5.0f} MB; {found['sim_time'] / found['steps'] * 1e6:.3f} us a "
          "step")


def ratios(model: str, theirs: dict[str, float], own: dict[str, float]) -> None:
    """Print how often ours fits into theirs."""
    print(f"{model:>8}: {theirs['wall_s'] / own['wall_s']:.0f} times faster "
          f"({theirs['cpu_s'] / own['cpu_s']:.0f} by processor time), load "
          f"{theirs['load_s'] / own['load_s']:.0f} times, memory "
          f"{theirs['bytes'] / own['bytes']:.1f} times less")


if __name__ == "__main__":
    main()
