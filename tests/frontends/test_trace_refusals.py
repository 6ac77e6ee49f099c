from __future__ import annotations

import numpy as np
import pytest
import snntorch
import torch
from helpers.models_snntorch import Features, Loop, Static, TimeFirst, neuron
from torch import nn

from nmcompile.errors import NmcError
from nmcompile.frontends.interface import Request
from nmcompile.frontends.torch_file import FRONTEND
from nmcompile.frontends.tracing.fold import with_initial
from nmcompile.ir.neurons import LI

ACCEPTED = (". Between neurons, linear layers, convolutions, average pooling, max pooling of "
            "spikes, batch normalisation, reshapes, sums and constant factors are accepted.")


def refused(model: nn.Module, *shape: int) -> str:
    given = (np.random.default_rng(0).random(shape or (6, 20, 8)) < 0.5).astype(np.float32)
    with pytest.raises(NmcError) as error:
        FRONTEND.load(Request(model=model, sample=given))
    return str(error.value)


@pytest.mark.parametrize(
    ("layer", "text"),
    [(nn.Sequential(nn.Conv2d(3, 12, 1), nn.MaxPool2d(2)),
      "between.1 (MaxPool2d): max_pool2d_with_indices: max pooling of something else than the "
      "spikes of one layer; pool behind the neurons, or use average pooling"),
     (nn.Sequential(nn.Conv2d(3, 2, 3), nn.Sigmoid()),
      "between.1 (Sigmoid): sigmoid: it is no ReLU; ReLU, clamp, Hardtanh, LeakyReLU and quantised "
      "activations go in"),
     (nn.LayerNorm(8), "between (LayerNorm): native_layer_norm: it is not linear"),
     (nn.BatchNorm2d(3, track_running_stats=False),
      "between (BatchNorm2d): native_batch_norm: statistics of the batch; use "
      "track_running_stats=True")],
)
def test_a_layer_that_is_not_linear_is_refused_by_module_and_line(
    layer: nn.Module, text: str
) -> None:
    said = refused(Features(layer, 192), 5, 20, 3, 8, 8)
    assert said == f"{text} at models_snntorch.py:92{ACCEPTED}"


def test_an_lstm_between_neurons_is_refused() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif1, self.lstm, self.lif2 = neuron(""), nn.LSTM(8, 8), neuron("Leaky")
            self.lif1 = neuron("Leaky", init_hidden=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out, mem = [], self.lif2.reset_mem()
            for step in x:
                hidden, _ = self.lstm(self.lif1(step)[None])
                spk, mem = self.lif2(hidden[0], mem)
                out.append(spk)
            return torch.stack(out)

    assert refused(Recurrent()).startswith("lstm (LSTM): ")


def product(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    a = m.lif1(m.fc1(x))
    return m.lif2(m.fc2(a) * a)


def branching(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    a = m.lif1(m.fc1(x))
    return m.lif2(m.fc2(a) if a.sum() > 3 else a)


def membrane(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    m.lif1(m.fc1(x))
    return m.lif2(m.fc2(m.lif1.mem))


def shared(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    return m.lif1(m.fc2(m.lif1(m.fc1(x))))


def forgetting(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    m.lif1.reset_mem()
    return m.lif2(m.fc2(m.lif1(m.fc1(x))))


def growing(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    m.gain = getattr(m, "gain", 1.0) * 1.1
    return m.lif2(m.fc2(m.lif1(m.fc1(x))) * m.gain)


def across(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    a = m.lif1(m.fc1(x))
    return m.lif2(m.fc2(a) - a.mean(0))


class Rolled(nn.Module):
    """The last steps come round to the first ones."""

    def __init__(self) -> None:
        super().__init__()
        self.lif1, self.lif2 = neuron("Leaky"), neuron("Leaky")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, hidden, spikes = self.lif1.reset_mem(), self.lif2.reset_mem(), [], []
        for values in x:
            spk, mem1 = self.lif1(values, mem1)
            hidden.append(spk)
        for values in torch.roll(torch.stack(hidden), 1, 0):
            spk, mem2 = self.lif2(values, mem2)
            spikes.append(spk)
        return torch.stack(spikes)


def test_steps_that_are_rolled_around_are_refused() -> None:
    assert refused(Rolled()) == (
        "lif2: in step 0 it takes what lif1 gives in step 19. A step may use only itself and "
        "earlier ones.")


class Written(nn.Module):
    """Neurons written out, whose membrane and threshold `update` changes ahead of the comparison."""

    def __init__(self, update: object) -> None:
        super().__init__()
        self.update, self.fc1, self.fc2 = update, nn.Linear(8, 8), nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, trace, spikes = torch.zeros(x.size(1), 8), torch.zeros(x.size(1), 8), []
        for values in x:
            mem, level = self.update(0.9 * mem + self.fc1(values), trace)
            spk = (mem > level).float()
            mem, trace = mem * (1 - spk), 0.9 * trace + spk
            spikes.append(self.fc2(spk))
        return torch.stack(spikes)


def clamped(mem: torch.Tensor, trace: torch.Tensor) -> tuple[torch.Tensor, float]:
    return mem.clamp(min=-0.5), 0.3


def adaptive(mem: torch.Tensor, trace: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return mem, 0.3 + 0.1 * trace


def squashed(mem: torch.Tensor, trace: torch.Tensor) -> tuple[torch.Tensor, float]:
    return torch.tanh(mem), 0.3


@pytest.mark.parametrize(
    ("update", "text"),
    [(clamped, "neuron: its membrane is compared at test_trace_refusals.py:"),
     (adaptive, "model (Written): gt: it combines several tensors that depend on spikes at "),
     (squashed, "model (Written): tanh: ")],
)
def test_written_out_neurons_of_another_kind_are_refused_by_operation_and_line(
    update: object, text: str
) -> None:
    assert refused(Written(update)).startswith(text)


def test_attention_over_the_steps_is_refused_by_the_layer_that_mixes_them() -> None:
    from spikingjelly.activation_based import layer as jelly
    from spikingjelly.activation_based import neuron as nodes

    attention = jelly.MultiDimensionalAttention(T=20, C=4, reduction_t=4, reduction_c=2,
                                                kernel_size=3)
    model = nn.Sequential(jelly.Conv2d(2, 4, 3, step_mode="m"), attention,
                          nodes.IFNode(step_mode="m"))
    said = refused(model, 5, 20, 2, 8, 8)
    assert said.startswith(
        "model: no axis of the sample (5 x 20 x 2 x 8 x 8) can be followed as time: "
        "1.ta.sharedMLP.0 (Conv3d): convolution: a convolution over samples or steps")


def test_samples_and_features_in_one_axis_are_no_samples_of_a_layer() -> None:
    def folded(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        spikes = m.lif1(m.fc1(x)).reshape(-1, 2)
        return m.lif2(torch.batch_norm(spikes, None, None, torch.ones(2), torch.ones(2), False,
                                       0.0, 0.0, False).reshape(-1, 8))

    assert refused(Loop(folded)).startswith("model: no axis of the sample (6 x 20 x 8) can be ")


STATE = ("lif1: its state v is changed or set anew between two steps. A neuron must be called "
         "once a step and keep its own state.")


@pytest.mark.parametrize(
    ("step", "text"),
    [(product, "model (Loop): mul: a product of two tensors that depend on spikes at "), (branching, "model (Loop): the model's code decides by the values of its spikes at "),
     (membrane, "lif2: it takes the state v of lif1. Only spikes travel between neurons; pass the "
      "spikes on."),
     (shared, "lif1: it ran 40 times in 20 steps. Call each neuron module once a step, and give as "
      "many steps as it runs."),
     (forgetting, STATE),
     (growing, "lif2: its inputs differ between step 0 and step 19 of the run. A step must use "
      "the same layers as every other."),
     (across, "model: ")],
)
def test_a_loop_that_cannot_be_folded_is_refused(step: object, text: str) -> None:
    assert refused(Loop(step)).startswith(text)


@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
@pytest.mark.parametrize(
    ("lif", "text"),
    [(lambda: snntorch.Leaky(beta=0.9, inhibition=True),
      "1: inhibition=True (only the largest membrane fires) cannot be compiled. Train with "
      "inhibition=False."),
     (lambda: snntorch.Leaky(beta=0.9, state_quant=torch.round),
      "1: state_quant (a quantised membrane) cannot be compiled. Train with state_quant=False; "
      "the compiler quantises for the chip."),
     (lambda: snntorch.SLSTM(8, 8, init_hidden=True),
      "1: snnTorch's SLSTM cannot be compiled. snnTorch's Leaky, RLeaky, Synaptic, RSynaptic, "
      "Lapicque, Alpha and LeakyParallel are supported."),
     (lambda: snntorch.Leaky(beta=0.9, spike_grad=torch.sigmoid),
      "1: its surrogate is not a step from 0 to 1 at the threshold. Use a surrogate of "
      "snntorch.surrogate whose forward is a Heaviside step.")],
)
def test_a_neuron_that_cannot_be_compiled_is_refused_by_name(lif: object, text: str) -> None:
    assert refused(nn.Sequential(nn.Linear(8, 8), lif())) == text


def test_states_that_a_neuron_cannot_start_from_are_refused() -> None:
    nothing = np.zeros((), np.float32)
    with pytest.raises(NmcError) as error:
        with_initial("lif", LI(decay=nothing), {"spikes": np.ones(3, np.float32)})
    assert str(error.value) == (
        "lif: its spikes starts from other values than 0, which 'li' neurons cannot. Start from "
        "zeros.")


def test_steps_for_a_model_that_runs_its_own_are_refused() -> None:
    assert refused(Static(), 6, 20, 8) == (
        "sample: has shape (6, 20, 8), and the model runs 30 steps of its own on values without "
        "steps. Give x as (samples, 8).")


def test_a_model_without_neurons_is_refused() -> None:
    said = refused(nn.Sequential(nn.Linear(8, 8)))
    assert said.startswith("model: no neuron and no activation that is known was run. snnTorch's ")
    assert said.endswith("are supported, and ReLU.")
    assert all(library in said for library in ("SpikingJelly", "Norse", "Sinabs", "Rockpool"))


def test_parameters_in_double_precision_are_refused() -> None:
    assert refused(TimeFirst().double()) == (
        "fc1.weight: it is torch.float64. Call model.float() first.")


def test_a_sample_with_more_steps_than_the_model_runs_is_refused() -> None:
    class Ten(TimeFirst):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x[:10])[0]

    assert refused(Ten()) == (
        "lif1: it ran 10 times in 20 steps. Call each neuron module once a step, and give as many "
        "steps as it runs.")


def test_a_forward_that_wants_states_from_its_caller_is_refused() -> None:
    class Stateful(TimeFirst):
        def forward(self, x: torch.Tensor, mem: torch.Tensor) -> torch.Tensor:
            return self.lif1(self.fc1(x), mem)[0]

    said = refused(Stateful())
    assert said.startswith("model: its forward fails on a sample of 6 x 20 x 8 values: TypeError: ")
    assert said.endswith("missing 1 required positional argument: 'mem'.")


def test_parallel_neurons_that_see_the_future_are_refused() -> None:
    from spikingjelly.activation_based import layer as jelly
    from spikingjelly.activation_based import neuron as nodes

    assert refused(nn.Sequential(jelly.Linear(8, 4, step_mode="m"), nodes.PSN(20))) == (
        "1: its weights reach 19 steps into the future. Train a SlidingPSN, or a MaskedPSN with "
        "lambda_ at 1.")


def test_a_part_that_is_no_slice_of_a_tensor_cannot_be_written() -> None:
    def window(m: Loop, x: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(len(x), 8)
        out.unfold(1, 2, 3).copy_(m.lif1(m.fc1(x))[:, :6].unflatten(1, (3, 2)))
        return m.lif2(out)

    assert refused(Loop(window)).startswith(
        "model (Loop): copy: values are written into a part of a tensor that is no slice of it; "
        "collect the steps in a list")
