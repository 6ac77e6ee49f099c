"""The whole examination: facts that cost nothing, and probes that import."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from typing import Any

from nmcompile.doctor.children import Answer, Job, answers
from nmcompile.doctor.finding import Finding
from nmcompile.doctor.machine import cache, machine
from nmcompile.errors import EXTRAS
from nmcompile.installed import PREFIX, TARGETS, plugins, target_names

SECONDS = 10.0  # for all imports
DEVICES = "nmcompile.devices"
NEEDED, OPTIONAL = "packages", "optional"


def examine(seconds: float = SECONDS) -> list[Finding]:
    """Everything that is found; what is not imported within so many seconds is "untried".

    Nothing that is broken raises here: packages, plug-ins, devices and targets are tried in
    processes of their own.
    """
    packages, told = _packages()
    entries = [*_targets(), *_plugins()]
    by_package, by_entry = answers([packages, entries], seconds)
    found = [*machine(), *map(_package, packages, by_package), *told]
    return [*found, *map(_entry, entries, by_entry), cache()]


def _packages() -> tuple[list[Job], list[Finding]]:
    """Jobs for packages that are installed; findings of the others, and of doubtful pairs."""
    try:
        from nmcompile.doctor import packages
        wanted = packages.wanted()
    except PackageNotFoundError:
        return [], [Finding(section=NEEDED, name="nmcompile", state="broken",
                            told="is not installed: no metadata says what it needs",
                            todo="Type pip install . in its folder.")]
    except ImportError as error:
        return [], [Finding(section=NEEDED, name="packaging", state="broken", told=str(error),
                            todo="Type pip install --force-reinstall packaging.")]
    jobs, told = [], []
    for package in sorted(wanted, key=lambda package: package.takes_torch):
        section = OPTIONAL if package.extra else NEEDED
        purpose = packages.PURPOSES.get(package.extra, "")
        about: dict[str, Any] = {"section": section, "name": package.name, "todo": package.install}
        if package.version is None:
            told.append(Finding(
                **about, state="absent" if package.extra else "broken",
                told=f"for {purpose}" if purpose else "not installed"))
        elif packages.wrong_version(package):
            told.append(Finding(
                **about, state="broken",
                told=f"{package.version} is installed, nmcompile takes {package.asked}"))
        else:
            jobs.append({**about, "kind": "import", "module": package.module,
                         "told": f"{package.version}{f', for {purpose}' if purpose else ''}",
                         "todo": f"Type pip install --force-reinstall {package.name}."})
        if package.name == "torch":
            jobs.append({"kind": "gpu"})
    return jobs, [*told, *packages.doubts(wanted)]


def _targets() -> list[Job]:
    return [{"kind": "target", "section": "targets", "name": name,
             "todo": f"nmc targets show {name} names the first wrong field."}
            for name in target_names()]


def _plugins() -> list[Job]:
    """Jobs for all plug-ins; frontends are last, for they import the most."""
    found = []
    for group, entries in plugins().items():
        for entry in entries:
            what = group.removeprefix(PREFIX)
            found.append({
                "kind": "device" if group == DEVICES else "plug-in", "section": what,
                "name": entry.name, "group": group, "value": entry.value,
                "todo": f"Mend or uninstall {entry.dist.name if entry.dist else entry.value}."})
    packages = [job for job in found if job["group"] == TARGETS]
    rest = sorted((job for job in found if job["group"] != TARGETS),
                  key=lambda job: job["section"] == "frontends")
    return [*packages, *rest]


def _package(job: Job, answer: Answer) -> Finding:
    if job["kind"] == "gpu":
        return _gpu(answer)
    told = answer.get("told")
    figures = {"threads": answer["threads"]} if "threads" in answer else {}
    threads = f", {answer['threads']} threads" if figures else ""
    return Finding(
        section=job["section"], name=job["name"], state=answer["state"], figures=figures,
        told=f"{job['told']}{threads}{f': {told}' if told else ''}",
        todo=job["todo"] if answer["state"] == "broken" else "")


def _entry(job: Job, answer: Answer) -> Finding:
    """What is found of a target, device or other plug-in.

    A plug-in that lacks a module of one of our extras is absent, not broken.
    """
    state, extra = answer["state"], EXTRAS.get((answer.get("missing") or "").partition(".")[0])
    if extra is not None:
        return Finding(section=job["section"], name=job["name"], state="absent",
                       told=f"needs {answer['missing']}",
                       todo=f"Type pip install '.[{extra}]' in nmcompile's folder.")
    todo = str(answer.get("todo", job["todo"] if state == "broken" else ""))
    return Finding(section=job["section"], name=job["name"], state=state,
                   told=answer.get("told", ""), todo=todo)


def _gpu(answer: Answer) -> Finding:
    """What torch finds. nmcompile itself runs on processors alone, so none can be broken."""
    figures = {"gpus": answer["gpus"]} if "gpus" in answer else {}
    return Finding(
        section="GPU", name="torch.cuda", figures=figures,
        state="doubtful" if answer["state"] == "broken" else answer["state"],
        told=f"{answer['told']}; nmcompile computes on processors and uses none")
