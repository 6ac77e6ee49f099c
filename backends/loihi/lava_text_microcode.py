"""The neurons of Loihi 2's microcode in the Lava script, as text."""

SIGMA_DELTA = '''\


class LoihiSigmaDelta(AbstractProcess):
    """A sigma-delta neuron with what Lava's own leaves out: a threshold for each neuron, a start,
    before which nothing is added up and nothing sent, and encoders with a bias, which add up
    nothing."""

    def __init__(self, *, shape, vth, bias, act_mode, state_exp, start, shift, accumulates):
        super().__init__(act_mode=act_mode, start=start, shift=shift, accumulates=accumulates)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.vth = Var(shape=shape, init=vth)
        self.bias = Var(shape=shape, init=bias)
        self.sigma = Var(shape=shape, init=0)
        self.act = Var(shape=shape, init=0)
        self.residue = Var(shape=shape, init=0)
        self.error = Var(shape=shape, init=0)
        self.spike_exp = Var(shape=(1,), init=0)
        self.state_exp = Var(shape=(1,), init=state_exp)
        self.cum_error = Var(shape=(1,), init=False)


@implements(proc=LoihiSigmaDelta, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLoihiSigmaDelta(AbstractSigmaDeltaModel):
    """Lava's dynamics behind the start."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=24)
    vth: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    sigma: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    act: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    residue: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    error: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    spike_exp: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=3)
    state_exp: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=3)
    cum_error: np.ndarray = LavaPyType(np.ndarray, bool, precision=1)

    def run_spk(self):
        arriving = np.left_shift(self.a_in.recv(), self.proc_params["shift"])
        if self.time_step <= self.proc_params["start"]:  # Lava's first step is 1
            self.s_out.send(np.zeros(self.sigma.shape, np.int32))
            return
        if not self.proc_params["accumulates"]:
            self.sigma = np.zeros_like(self.sigma)
        self.s_out.send(np.right_shift(self.dynamics(arriving), self.state_exp))
'''

RESONATOR = '''\


def resonators(*, process, shape, sin_decay, cos_decay, threshold):
    """Lava's resonators with registers given, which it would compute from a period."""
    made = process(shape=shape, period=10, alpha=0.1, state_exp=6, decay_bits=12)
    made.sin_decay.init, made.cos_decay.init = np.int32(sin_decay), np.int32(cos_decay)
    made.vth.init = np.int32(threshold)
    return made
'''

OWN_RESONATOR = '''\


class LoihiResonator(AbstractProcess):
    """Resonators with registers for each neuron, which Lava's own lack."""

    def __init__(self, *, shape, sin_decay, cos_decay, threshold, phase):
        super().__init__(phase=phase)
        self.a_real_in = InPort(shape=shape)
        self.a_imag_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.real = Var(shape=shape, init=0)
        self.imag = Var(shape=shape, init=0)
        self.sin_decay = Var(shape=shape, init=sin_decay)
        self.cos_decay = Var(shape=shape, init=cos_decay)
        self.vth = Var(shape=shape, init=threshold)
        self.state_exp = Var(shape=(1,), init=6)
        self.decay_bits = Var(shape=(1,), init=12)


@implements(proc=LoihiResonator, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLoihiResonator(AbstractPyRFModelFixed):
    """Lava's dynamics with the two kinds of spikes."""

    sin_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    cos_decay: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)

    def run_spk(self):
        arrived = self.a_real_in.recv(), self.a_imag_in.recv()
        turned = self.resonator_dynamics(*np.left_shift(arrived, self.state_exp),
                                         np.int64(self.real), np.int64(self.imag))
        real, imag = np.clip(turned, self.neg_voltage_limit, self.pos_voltage_limit)
        if self.proc_params["phase"]:
            spikes = (real >= self.vth) & (imag >= 0) & (self.imag < 0)
        else:
            spikes = imag >= self.vth
            real, imag = np.where(spikes, 0, real), np.where(spikes, self.vth - 1, imag)
        self.real[:], self.imag[:] = real, imag
        self.s_out.send(spikes)
'''

ADAPTIVE = '''\


class LoihiAdaptive(AbstractProcess):
    """Neurons with an adaptive threshold and refractoriness, with what Lava's own lack: registers
    for each neuron, and a start before which the state is held."""

    def __init__(self, *, shape, i, v, du, dv, dtheta, dr, threshold, threshold_step, bias, start):
        super().__init__(start=start)
        self.a_in = InPort(shape=shape)
        self.s_out = OutPort(shape=shape)
        self.i = Var(shape=shape, init=i)
        self.v = Var(shape=shape, init=v)
        self.theta = Var(shape=shape, init=np.int32(threshold) << 6)
        self.r = Var(shape=shape, init=0)
        self.du = Var(shape=shape, init=du)
        self.dv = Var(shape=shape, init=dv)
        self.dtheta = Var(shape=shape, init=dtheta)
        self.dr = Var(shape=shape, init=dr)
        self.threshold = Var(shape=shape, init=threshold)
        self.threshold_step = Var(shape=shape, init=threshold_step)
        self.bias = Var(shape=shape, init=bias)


@implements(proc=LoihiAdaptive, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLoihiAdaptive(PyLoihiProcessModel):
    """The equations of Lava's ATRLIF; its 24-bit current wraps by any number of turns."""

    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32, precision=24)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32, precision=1)
    i: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    theta: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    r: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=24)
    du: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    dv: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    dtheta: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    dr: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    threshold: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=12)
    threshold_step: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=18)
    bias: np.ndarray = LavaPyType(np.ndarray, np.int32, precision=20)

    def run_spk(self):
        arriving = self.a_in.recv().astype(np.int64)
        spikes = np.zeros(self.v.shape, bool)
        if self.time_step > self.proc_params["start"]:  # Lava's first step is 1
            spikes = self.step(arriving)
        self.s_out.send(spikes)

    def step(self, arriving):
        current = decayed(self.i, 4095 - self.du) + (arriving << 6)
        current = 2**23 - (2**23 - current) % 2**24
        v = decayed(self.v, 4096 - self.dv) + current + self.bias
        v = np.clip(v, 1 - 2**23, 2**23 - 1)
        base = self.threshold << 6
        theta = decayed(self.theta - base, 4096 - self.dtheta) + base
        r = decayed(self.r, 4096 - self.dr)
        spikes = v - r >= theta
        self.i[:], self.v[:] = current, v
        self.r[:] = r + 2 * theta * spikes
        self.theta[:] = theta + self.threshold_step * spikes
        return spikes
'''
