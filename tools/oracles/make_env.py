"""Make the environment of an oracle and print the path of its interpreter.

    python tools/oracles/make_env.py lava DIR [--python PATH]

The tests of an oracle read that path from a variable: NMC_LAVA_PYTHON for lava, NMC_XYLO_PYTHON
for xylo.
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
ORACLES = {
    "lava": ("3.10", ["lava-nc==0.10.0", "h5py>=3.7,<4"], ["lava-dl==0.6.0"]),
    "xylo": ("3.11", ["rockpool==3.1.0", "xylosim==0.1.3"], []),
}


def main() -> None:
    """Make the environment that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("oracle", choices=ORACLES)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", help="interpreter to use; default: python3.X on the path "
                        "or of pyenv")
    arguments = parser.parse_args()
    version, packages, bare = ORACLES[arguments.oracle]
    python = make(arguments.python or find(version), arguments.folder)
    install(python, packages)
    if bare:
        install(python, ["--no-deps", *bare])
    print(python)


def find(version: str) -> str:
    """A Python of `version`, or exit with what is missing."""
    pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    for python in (sys.executable, shutil.which(f"python{version}"), *map(str, pyenv)):
        if python is not None and _version(python) == version:
            return python
    sys.exit(f"no python{version} is on the path or of pyenv; name it with --python")


def _version(python: str) -> str:
    """X.Y of an interpreter; nothing where it does not run, as pyenv's shims of other versions."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    result = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    return result.stdout.strip()


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
