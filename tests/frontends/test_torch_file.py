from __future__ import annotations

import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import snntorch
import torch
from helpers.models_snntorch import Static, TimeFirst, sequential
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request, Traced
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.ir import run

CODE = '''
import snntorch, torch
from torch import nn

def surrogate(x):
    return (x > 0).float()

class Net(nn.Module):
    def __init__(self, size=12):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(8, size), snntorch.Leaky(beta=0.9, spike_grad=surrogate)
        self.lif2 = snntorch.Leaky(beta=0.8, threshold=0.3, spike_grad=surrogate)
        self.fc2 = nn.Linear(size, 5)

    def forward(self, x):
        mem1, mem2, out = self.lif1.reset_mem(), self.lif2.reset_mem(), []
        for step in x:
            spk, mem1 = self.lif1(self.fc1(step), mem1)
            spk, mem2 = self.lif2(self.fc2(spk), mem2)
            out.append(spk)
        return torch.stack(out)

class Sized(Net):
    def __init__(self, size):
        super().__init__(size)

def not_a_model():
    return 3
'''


@pytest.fixture
def code(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(CODE)
    return path


@pytest.fixture
def model(code: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """An instance of Net as a user's own script would make it."""
    monkeypatch.syspath_prepend(code.parent)
    monkeypatch.delitem(__import__("sys").modules, "net", raising=False)
    torch.manual_seed(0)
    return __import__("net").Net()


def sample(*shape: int) -> np.ndarray:
    return (np.random.default_rng(0).random(shape) < 0.5).astype(np.float32)


def load(path: Path, **options: object) -> Traced:
    assert FRONTEND.claims(path)
    return FRONTEND.load(Request(path=path, sample=sample(6, 20, 8), **options))


def message(path: Path, **options: object) -> str:
    with pytest.raises(NmcError) as error:
        load(path, **options)
    return str(error.value).replace(str(path.parent) + "/", "")


def assert_same(result: Traced) -> None:
    found = run(result.network, result.inputs)
    for name, records in result.expected.items():
        assert np.array_equal(found.records[name]["spikes"], records["spikes"])
        assert records["spikes"].sum() > 5


def test_a_saved_model_is_traced_without_its_code(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.manual_seed(0)
    own = sequential(surrogate_disable=True)
    own[3].spike_grad = torch.relu
    own(torch.ones(2, 8))
    torch.save(own, path)
    result = load(path)
    assert result.verified_by == "the model's own forward"
    assert_same(result)


def test_a_user_s_class_is_run_in_the_order_of_registration(
    tmp_path: Path, model: nn.Module
) -> None:
    path = tmp_path / "m.pt"
    model._modules = {n: model._modules[n] for n in ("fc1", "lif1", "fc2", "lif2")}
    torch.save(model, path)
    result = load(path)
    assert result.verified_by == "its modules in order of registration"
    assert result.network.notes == (
        "module order taken from registration: fc1, lif1, fc2, lif2; pass --code FILE.py:CLASS to "
        "check against your forward",
        "surrogate gradients were not loaded; spikes are a step at the threshold",
    )
    assert [p.name for p in result.network.populations] == ["lif1", "lif2"]
    assert_same(result)


def test_an_order_that_does_not_fit_asks_for_the_code(tmp_path: Path, model: nn.Module) -> None:
    path = tmp_path / "m.pt"
    torch.save(model, path)
    assert message(path) == (
        "model: its file does not say in which order its modules run, and lif1 is registered "
        "directly before lif2. Pass --code FILE.py:CLASS.")
    model._modules = {n: model._modules[n] for n in ("fc2", "lif2", "fc1", "lif1")}
    torch.save(model, path)
    assert message(path) == (
        "sample: 6 x 20 x 8 values do not go through the model, whose first layer fc2 takes 12 "
        "features. torch says: mat1 and mat2 shapes cannot be multiplied (140x8 and 12x5). The order "
        "of its modules is a guess; pass --code FILE.py:CLASS.")


def test_the_user_s_code_gives_the_forward_of_a_saved_model(
    tmp_path: Path, model: nn.Module, code: Path
) -> None:
    path = tmp_path / "m.pt"
    torch.save(model, path)
    result = load(path, code=f"{code}:Net")
    assert result.verified_by == "the model's own forward"
    assert result.network.notes == ()
    assert_same(result)


@pytest.mark.parametrize("wrap", [lambda d: d, lambda d: {"epoch": 3, "state_dict": d},
                                  lambda d: OrderedDict((f"model.{k}", v) for k, v in d.items())])
def test_a_state_dict_needs_and_takes_the_code(
    tmp_path: Path, model: nn.Module, code: Path, wrap: object
) -> None:
    path = tmp_path / "m.pt"
    torch.save(wrap(model.state_dict()), path)
    assert message(path) == (
        "m.pt: holds a state dict: parameters without the model. Pass --code FILE.py:CLASS, or "
        "save it with torch.save(model, path).")
    result = load(path, code=f"{code}:Net")
    assert_same(result)


@pytest.mark.parametrize(
    ("name", "text"),
    [("Nat", "'Nat' is not known. Did you mean 'Net'? Known: Net, Sized, not_a_model, surrogate."),
     ("Sized", "needs arguments: size. Add a function without arguments that returns the model, "
      "and name it."),
     ("not_a_model", "gives a int, expected a torch.nn.Module.")],
)
def test_a_code_that_gives_no_model_is_refused(
    tmp_path: Path, model: nn.Module, code: Path, name: str, text: str
) -> None:
    path = tmp_path / "m.pt"
    torch.save(model.state_dict(), path)
    said = message(path, code=f"{code}:{name}")
    assert said.startswith("--code net.py")
    assert said.endswith(text)


def test_a_state_dict_of_another_class_is_refused(tmp_path: Path, code: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"fc1.weight": torch.ones(12, 8), "more": torch.ones(1)}, path)
    assert message(path, code=f"{code}:Net") == (
        "m.pt: does not fit the class of --code: missing fc1.bias, fc2.bias, fc2.weight and 8 "
        "more; unexpected more.")


class Runs:
    """An object whose pickle asks to call something."""

    def __init__(self, function: object, *args: object) -> None:
        self.reduced = (function, args)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.reduced


def hostile(marker: Path) -> dict[str, object]:
    command = f"touch {marker}"
    text = f"open({str(marker)!r}, 'w').close()"
    linear, hooked = nn.Linear(8, 5), nn.Linear(8, 5)
    linear.forward = Runs(os.system, command)
    hooked._forward_hooks[0] = Runs(eval, text)
    return {
        "system": Runs(os.system, command),
        "eval": Runs(eval, text),
        "exec": [Runs(exec, text)],
        "import": Runs(__import__, "antigravity"),
        "forward": nn.Sequential(linear),
        "hook": nn.Sequential(hooked),
        "load": Runs(torch.load, str(marker)),
        "open": {"state_dict": Runs(open, str(marker), "w")},
        "numpy": Runs(np.fromfile, str(marker)),
    }


@pytest.mark.parametrize("name", sorted(hostile(Path("marker"))))
def test_a_pickle_that_would_run_code_does_not_run_it(tmp_path: Path, name: str) -> None:
    path, marker = tmp_path / "m.pt", tmp_path / "marker"
    torch.save(hostile(marker)[name], path)
    said = message(path)
    assert not marker.exists()
    assert said.endswith(
        ": the file asks to call it while it is loaded. If you trust it, pass --trust-pickle, or "
        "give its class with --code FILE.py:CLASS.")


def test_a_trusted_pickle_is_loaded_as_it_is(tmp_path: Path, model: nn.Module) -> None:
    path = tmp_path / "m.pt"
    torch.save(model, path)
    assert_same(load(path, trust_pickle=True))


def rezipped(path: Path, change: object) -> None:
    """The archive at `path` with `change(name, data)` as its entries."""
    with zipfile.ZipFile(path) as file:
        entries = [(n, file.read(n)) for n in file.namelist()]
    with zipfile.ZipFile(path, "w") as file:
        for name, data in entries:
            file.writestr(name, change(name, data))


def test_a_planted_method_or_hook_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.manual_seed(0)
    own = sequential(surrogate_disable=True)
    own[3].spike_grad = torch.relu
    own[0].__dict__["forward"] = nn.Identity()
    own[0]._forward_hooks[0] = nn.Identity()
    torch.save(own, path)
    assert_same(load(path))


def test_a_tensor_beyond_its_data_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"w": torch.ones(4)}, path)
    rezipped(path, lambda n, d: d[:8] if n.endswith("data/0") else d)
    assert message(path) == "m.pt: the tensor data '0' has 8 bytes, its tensor says 16."


def test_a_compressed_archive_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("m/data.pkl", b"\0" * 100_000_000)
    assert message(path) == ("m.pt: is a compressed archive, torch.save writes none. Save it with "
                             "torch.save(model, path).")


def test_a_truncated_file_is_refused(tmp_path: Path, model: nn.Module) -> None:
    path = tmp_path / "m.pt"
    torch.save(model, path)
    path.write_bytes(path.read_bytes()[:2000])
    assert message(path) == ("m.pt: is a damaged archive, perhaps cut short (File is not a zip "
                             "file). Copy or save it again.")


def test_a_damaged_pickle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"w": torch.ones(4)}, path)
    rezipped(path, lambda n, d: d[: len(d) // 2] if n.endswith("data.pkl") else d)
    assert message(path).startswith("m.pt: holds a damaged pickle (")


def test_other_kinds_of_torch_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"w": torch.ones(4)}, path, _use_new_zipfile_serialization=False)
    assert message(path) == ("m.pt: is a pickle or a file of torch before 1.6. Save the model "
                             "itself with torch.save(model, path).")
    with zipfile.ZipFile(path, "w") as file:
        for name in ("m/data.pkl", "m/constants.pkl"):
            file.writestr(name, pickle.dumps({}))
    assert message(path) == ("m.pt: is a TorchScript archive, which is not read. Save the model "
                             "itself with torch.save(model, path).")


def test_files_that_torch_did_not_write_are_not_claimed(tmp_path: Path) -> None:
    arrays = io.BytesIO()
    np.savez(arrays, x=np.ones(3))
    onnx = b"\x08\x08\x12\x07pytorch\x1a\x052.0.0:"
    for content in (b"", b"import torch\n", onnx, arrays.getvalue()):
        path = tmp_path / "m.pt"
        path.write_bytes(content)
        assert not FRONTEND.claims(path)


def test_content_that_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    torch.save({"lr": 0.1}, path)
    assert message(path) == ("m.pt: holds neither a model nor a state dict. Save the model itself "
                             "with torch.save(model, path).")


def refused(model: nn.Module, given: np.ndarray | None) -> str:
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(model=model, sample=given))
    return str(error.value)


def test_a_sample_of_the_wrong_shape_is_refused() -> None:
    assert refused(TimeFirst(), sample(6, 20, 9)) == (
        "sample: 6 x 20 x 9 values do not go through the model, whose first layer fc1 takes 8 "
        "features. torch says: mat1 and mat2 shapes cannot be multiplied (7x9 and 8x12).")


def test_a_model_of_unknown_input_shape_asks_for_a_sample() -> None:
    assert refused(nn.Sequential(nn.Conv2d(1, 2, 3)), None) == (
        "model: its input shape is not known. Pass --sample FILE with (samples, steps, ...) or "
        "(samples, ...) values, or --calibrate FILE.")


def test_a_model_that_would_be_given_more_than_can_be_traced_is_refused_before_any_is_drawn() -> None:
    model = nn.Sequential(nn.Linear(20_000, 2), snntorch.Leaky(beta=0.9, init_hidden=True))
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(model=model, steps=100_000))
    assert str(error.value).startswith("model: 100,000 steps of 20,000 values are more than the ")


def test_a_model_whose_first_layer_is_linear_is_given_random_values() -> None:
    torch.manual_seed(0)
    result = FRONTEND.load(Request(model=sequential()))
    assert result.inputs["input"].shape == (16, 25, 8)
    assert result.network.notes == (
        "checked on random values between 0 and 1; pass --sample for data of your own",)


def test_a_pickle_of_nested_references_is_read_in_one_pass(tmp_path: Path) -> None:
    path, nested = tmp_path / "m.pt", [1]
    for _ in range(60):
        nested = [nested, nested]
    nested.append(nested)
    torch.save({"state_dict": nested}, path)
    assert message(path) == "m.pt: holds lists in lists without end."


def test_a_huge_memo_index_reserves_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("m/data.pkl", b"\x80\x02Nr\xff\xff\xff\xff.")
    assert message(path).startswith("m.pt: holds neither a model nor a state dict.")


def test_a_neuron_of_another_version_is_refused_by_name(tmp_path: Path) -> None:
    path, own = tmp_path / "m.pt", sequential(surrogate_disable=True)
    own[3].spike_grad = torch.relu
    del own[1].__dict__["reset_delay"]
    torch.save(own, path)
    assert message(path) == (
        "1: this Leaky lacks reset_delay (not saved, or by another version of snnTorch than 1.0). "
        "Pass --code FILE.py:CLASS.")


def test_without_a_sample_a_model_with_its_own_steps_is_given_values_of_one_step() -> None:
    found = FRONTEND.load(Request(model=Static()))
    assert found.network.inputs[0].shape == (8,)
    assert (found.network.static, found.network.steps) == (True, 30)
    assert found.network.populations[0].shape == (12,)
