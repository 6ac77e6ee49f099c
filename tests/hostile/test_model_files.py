"""Hostile model files run no code, end soon, and are refused in one line."""

import os
import re
import time

import pytest
from helpers import pickles as p

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND

SECONDS = 60  # that a refusal may take; the ones that hung took more than minutes


def refusal(path):
    begin = time.monotonic()
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(path=path))
    assert time.monotonic() - begin < SECONDS
    said = str(error.value)
    assert said.isprintable()
    return said.replace(f"{path.parent}{os.sep}", "")


CALLS = {
    "reduce": p.name("os", "system") + p.tuple_of(p.text("touch HERE")) + b"R",
    "inst": b"(" + p.text("touch HERE") + b"ios\nsystem\n",
    "obj": b"(" + p.name("os", "system") + p.text("touch HERE") + b"o",
    "stack": b"\x80\x04" + p.text("posix") + p.text("system") + b"\x93"
    + p.tuple_of(p.text("touch HERE")) + b"R",
    "eval": p.name("builtins", "eval") + p.tuple_of(p.text("open('HERE','w')")) + b"R",
    "state": p.name("os", "system") + p.dict_of({"__call__": p.number(1)}) + b"b",
    "hook": p.module(p.SEQUENTIAL, {"0": p.linear()},
                     forward=p.name("os", "system"), _call_impl=p.name("os", "system")),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_that_a_pickle_names_is_called(tmp_path, call):
    here = tmp_path / "called"
    path = p.archive(tmp_path / "m.pt", CALLS[call].replace(b"HERE", str(here).encode()))
    refusal(path)
    assert not here.exists()


SLOW = {
    "hash": b"}" + p.number(1) + b"2\x86" * 48 + b"Ns",
    "collide": b"}(" + b"".join(p.number(((1 << 61) - 1) * k) + b"N" for k in range(1, 60_000))
    + b"u",
    "print": p.name("torch._utils", "_rebuild_tensor_v2") + p.tuple_of(
        b"N", p.number(0), p.tuple_of(p.number(1) + b"2\x86" * 31), p.tuple_of(), b"\x89", b"N")
    + b"R",
    "sets": b"\x8f" * (3 << 20),
    "deep tuple": p.number(1) + b"\x85" * 100_000,
    "deep list": b"]" * 100_000 + b"a" * 99_999,
    "own modules twice in each": p.nested(40, p.OWN, p.module(p.OWN), 2),
    "layers twice in each": p.nested(40, p.SEQUENTIAL, p.linear(), 2),
    "deep modules": p.nested(3000, p.SEQUENTIAL, p.linear(), 1),
    "colliding tuples": b"}(" + b"".join(
        p.tuple_of(p.number(k), p.number(k * 31)) + b"N" for k in range(60_000)) + b"u",
    "set of tuples": p.name("builtins", "set") + p.tuple_of(
        b"](" + p.tuple_of(p.number(1), p.number(2)) + b"e") + b"R",
    "lists that print without end": p.module(p.SEQUENTIAL, {"0": p.linear()},
                                             note=b"]K\x01a" + b"q\x00](h\x00h\x00e" * 45),
    "encoded lists": p.name("numpy.core.multiarray", "scalar") + p.tuple_of(
        p.name("numpy", "dtype") + p.tuple_of(p.text("f8")) + b"R",
        p.name("_codecs", "encode") + p.tuple_of(b"]K\x01a" + b"q\x00](h\x00h\x00e" * 45) + b"R")
    + b"R",
    "padding": p.module(p.SEQUENTIAL, {"0": p.linear(), "1": p.module(
        ("torch.nn.modules.padding", "ConstantPad1d"),
        padding=p.tuple_of(p.number(0), p.number(10**8)), value=p.number(0))}),
    "claims 6 GB": b"\x80\x05\x96" + (6 << 30).to_bytes(8, "little"),
    "inside itself": p.name(*p.OWN) + b")\x81q\x01" + p.dict_of(
        {"_parameters": b"}", "_buffers": b"}", "_modules": p.dict_of({"a": b"h\x01"})}) + b"b",
}


@pytest.mark.parametrize("bomb", SLOW)
def test_a_bomb_is_refused_before_it_takes_time_or_memory(tmp_path, bomb):
    refusal(p.archive(tmp_path / "m.pt", SLOW[bomb]))


def test_a_container_s_own_maker_keeps_no_state(tmp_path):
    changed = p.name("builtins", "set") + p.tuple_of(b"N", p.dict_of({"_kind": b"N"})) + b"b"
    assert "a container with a state" in refusal(p.archive(tmp_path / "m.pt", changed))


def test_many_tensors_over_the_same_bytes_share_them(tmp_path):
    import torch

    shared = b"\0" * (4 << 20)
    many = b"}(" + b"".join(
        p.text(f"k{i}") + p.tensor((1 << 20,), (1,), elements=1 << 20) for i in range(1000)) + b"u"
    path = p.archive(tmp_path / "m.pt", many, shared)
    assert "state dict" in refusal(path)
    from nmcompile.frontends.loading.archive import open_archive
    from nmcompile.frontends.loading.rebuild import Rebuilder
    from nmcompile.frontends.loading.unpickle import records

    archive = open_archive(path)
    made = Rebuilder(archive).value(records(archive.pickle, "m.pt"))
    assert len({t.untyped_storage().data_ptr() for t in made.values()}) == 1
    assert isinstance(made["k0"], torch.Tensor)


@pytest.mark.parametrize(
    "steps", [p.number(10**12), p.number(-5), p.text("many"), b"](K\x01e", b"N" * 0 + b"\x88"])
def test_a_number_of_steps_that_is_none_is_refused(tmp_path, steps):
    said = refusal(p.archive(tmp_path / "m.pt", p.linear(num_steps=steps)))
    assert said.startswith((
        "model: its num_steps is no whole number of 1 to 100,000. Pass --steps N, or set num_steps to "
        "how many steps it runs.",
        "model: no neuron and no activation that is known was run. ",  # True is 1 step
    ))


def test_names_with_line_breaks_and_escapes_print_as_one_line(tmp_path):
    evil = b"\x80\x04" + p.text("evil\nnmc: all is well\x1b[31m") + p.text("x") + b"\x93)R"
    said = refusal(p.archive(tmp_path / "m.pt", evil))
    assert said.startswith(r"m.pt: evil nmc: all is well\x1b[31m.x: the file asks to call it")


@pytest.mark.parametrize("flag", ["encrypted", "patched", "version"])
def test_archives_of_kinds_that_cannot_be_read_are_refused(tmp_path, flag):
    path = p.archive(tmp_path / "m.pt", p.linear())
    data = bytearray(path.read_bytes())
    for entry in re.finditer(b"PK\x01\x02", bytes(data)):
        if flag == "version":
            data[entry.start() + 6] = 200
        else:
            data[entry.start() + 8] |= 1 if flag == "encrypted" else 0x20
    for entry in re.finditer(b"PK\x03\x04", bytes(data)):
        data[entry.start() + 6] |= 0x20 * (flag == "patched")
    path.write_bytes(data)
    assert refusal(path).startswith("m.pt: is a damaged archive, perhaps cut short (")


def test_every_truncation_and_changed_byte_of_a_pickle_is_refused_or_read(tmp_path):
    import random

    draws = random.Random(0)
    whole = p.module(p.SEQUENTIAL, {"0": p.linear()})
    for _ in range(300):
        data = bytearray(whole)
        if draws.random() < 0.3:
            del data[draws.randrange(len(data)):]
        for _ in range(draws.choice((1, 1, 3))):
            if data:
                data[draws.randrange(len(data))] = draws.randrange(256)
        refusal(p.archive(tmp_path / "m.pt", bytes(data)))
