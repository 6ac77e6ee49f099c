"""Train the example networks at 32, 4 and 2 bits, compile them, and write what that costs.

    python tools/accuracy.py mnist10k.npz WORK

WORK keeps what was trained: a second run only compiles and simulates. The table goes into
docs/quantization.md. It takes about 70 minutes of processor time, on as many cores as there are
rows.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nmcompile_backends.speck import encode
from nmcompile_backends.speck.arithmetic import run
from numpy.typing import NDArray

from nmcompile.build import read_build

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "quantization.md"
BEGIN, END = "<!-- accuracy: begin -->\n", "<!-- accuracy: end -->\n"
NMC = Path(sys.executable).with_name("nmc")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One training script.

    name     of examples/train_<name>.py and of what it writes
    network  the class at 32 bits; those of 4 and 2 have the number behind it
    title    of its row
    """

    name: str
    network: str
    target: str
    title: str


EXAMPLES = (
    Example(name="mnist", network="MnistNet", target="loihi2", title="784-256-10"),
    Example(name="mnist_conv", network="MnistConvNet", target="loihi2",
            title="three convolutions, membranes read"),
    Example(name="mnist_xylo", network="MnistXyloNet", target="xylo_imu",
            title="16-128-128-10, rows in time"),
    Example(name="mnist_speck", network="MnistSpeckNet", target="speck2f",
            title="three convolutions, events"),
)
COLUMNS = ("network", "target", "torch", "8 bits", "4 bits", "2 bits", "trained at 4 bits",
           "on the chip", "trained at 2 bits", "on the chip")
HEAD = f"| {' | '.join(COLUMNS)} |\n{'|---' * len(COLUMNS)}|\n"


def row(example: Example, data: Path, work: Path) -> str:
    """Accuracy of one example in every width, as a row of the table."""
    folder = work / example.name
    folder.mkdir(parents=True, exist_ok=True)
    figures = [trained(example, 32, data, folder)]
    figures += [on_chip(example, 32, folder, "--bits", bits) for bits in ("8", "4", "2")]
    for bits in (4, 2):
        figures += [trained(example, bits, data, folder), on_chip(example, bits, folder)]
    cells = " | ".join(f"{100 * figure:.2f}" for figure in figures)
    return f"| {example.title} (`train_{example.name}.py`) | {example.target} | {cells} |\n"


def trained(example: Example, bits: int, data: Path, folder: Path) -> float:
    """Accuracy in torch of the example at `bits`, which is trained if that was not done before."""
    told = folder / f"{example.name}{bits}.txt"
    if not told.exists():
        begin = ["--begin", folder / f"{example.name}32.pt"] if bits != 32 else []
        output = _run([sys.executable, ROOT / "examples" / f"train_{example.name}.py", data,
                       "--bits", bits, "--output", folder, *begin])
        told.write_text(output, "utf-8")
    last = told.read_text("utf-8").splitlines()[-1]
    return float(last.removeprefix("test accuracy ").removesuffix(" %")) / 100


def on_chip(example: Example, bits: int, folder: Path, *options: str) -> float:
    """Accuracy on the test digits of the network trained at `bits`, compiled with `options`."""
    stem = folder / f"{example.name}{bits}"
    network = example.network + (str(bits) if bits != 32 else "")
    build = folder / f"build{bits}{''.join(options)}"
    _run([NMC, "compile", f"{stem}.pt", "--target", example.target, "-o", build,
          "--code", f"{ROOT / 'examples' / f'train_{example.name}.py'}:{network}",
          "--calibrate", f"{stem}_calibration.npz", *options])
    told = json.loads(_run([NMC, "simulate", build, "--input", f"{stem}_test.npz", "--json"]))
    return float(told["accuracy"])


def by_events(example: Example, folder: Path) -> float:
    """Accuracy of the 8-bit build on Speck when events are handled one after the other.

    The events of a step come in an order drawn at random, as pixels have none.
    """
    network = encode.cores(read_build(folder / "build32--bits8").program.network)
    with np.load(folder / f"{example.name}32_test.npz") as file:
        x, labels = file["x"].astype(np.int64), file["y"]
    rng, right = np.random.default_rng(0), 0
    for sample, label in zip(x, labels, strict=True):
        found = run(network, np.concatenate([_events(step, rng) for step in sample]))
        outputs = found.events[found.events[:, 1] == len(network.cores) - 1]
        right += int(np.bincount(outputs[:, 2], minlength=10).argmax() == label)
    return right / len(labels)


def _events(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    places = np.argwhere(counts)
    repeated = np.repeat(places, counts[tuple(places.T)], axis=0)
    rng.shuffle(repeated)
    return repeated


def _run(command: list[object]) -> str:
    parts = [str(part) for part in command]
    print(" ".join(parts), flush=True)
    return subprocess.run(parts, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True).stdout


def main() -> None:
    """Make every row, then write the table between its two marks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="images (n, 28, 28) of 0 to 255 and labels")
    parser.add_argument("work", type=Path, help="folder for what is trained and compiled")
    options = parser.parse_args()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        rows = list(pool.map(lambda example: row(example, options.data, options.work), EXAMPLES))
    speck = EXAMPLES[-1]
    events = by_events(speck, options.work / speck.name)
    rows.append(f"\nThe Speck network event by event, 8 bits: {100 * events:.2f} %.\n")
    text = DOCUMENT.read_text("utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    DOCUMENT.write_text(before + BEGIN + HEAD + "".join(rows) + END + after, "utf-8")


if __name__ == "__main__":
    main()
