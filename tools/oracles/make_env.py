"""Make the environment of an oracle and print the path of its interpreter.

    python tools/oracles/make_env.py lava DIR [--python PATH]

The tests of an oracle read that path from a variable: NMC_LAVA_PYTHON for lava, and so on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import venv
from pathlib import Path

# Per oracle: the Python it runs on, what pip installs, what it installs without dependencies.
# lava-dl asks for torch 2.3, vision and notebooks; netx needs none of them (see netx_run.py).
ORACLES: dict[str, tuple[str, list[str], list[str]]] = {
    "akida": ("3.10", ["akida==2.19.3"], []),
    "lava": ("3.10", ["lava-nc==0.10.0", "h5py>=3.7,<4"], ["lava-dl==0.6.0"]),
    "spinnaker": ("3.11", ["sPyNNaker==1!7.4.1", "unicorn==2.1.4"], []),
    "sanafe": ("3.10", ["sanafe==2.2.9", "numpy>=1.26"], []),
    "nengo": ("3.9", ["numpy<1.24", "nengo==3.2.0", "nengo-loihi==1.1.0"], []),
    # of what NeuroBench asks for, its metrics need neither audio nor data sets
    "neurobench": (
        "3.11", ["torch==2.13.0", "snntorch==1.0.0", "numpy>=2.1", "tqdm"], ["neurobench==2.3.0"]),
    "xylo": ("3.11", ["rockpool==3.1.0", "xylosim==0.1.3"], []),
}


def main() -> None:
    """Make the environment that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oracle", choices=ORACLES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", help="interpreter to use; default: that of path or pyenv")
    arguments = parser.parse_args()
    version, packages, bare = ORACLES[arguments.oracle]
    python = make(arguments.python or find(version), arguments.folder)
    install(python, packages)
    if bare:
        install(python, ["--no-deps", *bare])
    print(python)


def find(version: str) -> str:
    """The interpreter of `version` on the path or of pyenv, or exit with what is missing."""
    pyenv = Path.home() / ".pyenv" / "versions"
    places = [sys.executable, shutil.which(f"python{version}"),
              *sorted(map(str, pyenv.glob(f"{version}.*/bin/python")))]
    code = f"import sys; sys.exit(sys.version_info[:2] != ({version.replace('.', ', ')}))"
    for python in filter(None, places):
        if subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0:
            return python
    sys.exit(f"python{version} is neither on the path nor in {pyenv}; name it with --python")


def make(python: str, folder: Path) -> Path:
    """A virtual environment of `python` in `folder`; its interpreter."""
    if Path(python).resolve() == Path(sys.executable).resolve():
        venv.create(folder, with_pip=True)
    else:
        subprocess.run([python, "-m", "venv", str(folder)], check=True)
    return folder.absolute() / "bin" / "python"


def install(python: Path, packages: list[str]) -> None:
    """Install `packages` with pip, whose messages go to stderr."""
    command = [str(python), "-m", "pip", "install", "-q", *packages]
    subprocess.run(command, check=True, stdout=sys.stderr)


if __name__ == "__main__":
    main()
