"""Writes tests/vectors/noise.h: the noise that PyTorch draws, and trajectories of samplers that draw from one generator.

usage: noise_vectors.py > tests/vectors/noise.h

CPU: torch.randn(n, generator=torch.Generator().manual_seed(seed)), tensors one after the other from one generator, in f32.  CUDA: no GPU is
needed: philox() is Philox4x32-10 in plain integers, checked against the known answers of Random123 (kat_vectors), and curand_normal4()'s first
number is restated after curand_normal.h; AUTOMATIC1111's rng_philox.py says which counter goes with which element, and the twelve numbers of
its head are asserted.  Trajectories: diffusers' schedulers (k-diffusion's function where it has none), that generator handed to step() as its
pipelines do.  Noise is drawn in f32 and all else worked out in double, as in denoise_vectors.py, whose network it is.
"""
import diffusers
import k_diffusion.sampling
import numpy
import torch
from diffusers.schedulers import (scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete,
                                  scheduling_euler_discrete, scheduling_flow_match_lcm, scheduling_k_dpm_2_ancestral_discrete, scheduling_lcm,
                                  scheduling_tcd)

CHANNELS, HEIGHT, WIDTH = 2, 3, 3  # 18 numbers: a block of 16, and a tail


def philox(counter, key):
    """Salmon et al. 2011, table 2: ten rounds."""
    x, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [(b >> 32) ^ x[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ x[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return x


assert philox([0] * 4, [0] * 2) == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
assert philox([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2) == [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]
assert philox([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0]) == [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]


def cuda(seed, tensor, n):
    """u = word / 2^32 + 1 / 2^33, v = 2 pi of the next word the same way, in f32; sqrt(-2 log u) sin v."""
    f, out = numpy.float32, []
    scale = f(2.3283064e-10)
    turn = f(2.3283064e-10 * 6.2831855)
    for i in range(n):
        words = philox([tensor & 0xFFFFFFFF, tensor >> 32, i & 0xFFFFFFFF, i >> 32], [seed & 0xFFFFFFFF, seed >> 32])
        u, v = f(f(words[0]) * scale + scale / f(2)), f(f(words[1]) * turn + turn / f(2))
        out.append(float(f(numpy.sqrt(-2.0 * numpy.log(float(u))) * numpy.sin(float(v)))))
    return out


PUBLISHED = [-0.92466259, -0.42534415, -2.6438457, 0.14518388, -0.12086647, -0.57972564, -0.62285122, -0.32838709, -1.07454231, -0.36314407,
             -1.67105067, 2.26550497]
assert numpy.abs(numpy.array(cuda(0, 0, 12)) - PUBLISHED).max() < 1e-6


class Cuda:
    """In place of a torch.Generator, for randn_tensor() below."""

    def __init__(self, seed):
        self.seed, self.tensors = seed, 0

    def draw(self, shape):
        self.tensors += 1
        return torch.tensor(cuda(self.seed, self.tensors - 1, numpy.prod(shape)), dtype=torch.float32).reshape(shape)


class Double:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self.module = module
        self.float32 = module.float64

    def __getattr__(self, name):
        return getattr(self.module, name)


def randn_tensor(shape, generator=None, **_):
    x = generator.draw(shape) if isinstance(generator, Cuda) else torch.randn(shape, generator=generator, dtype=torch.float32)
    return x.double()


for module in (scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete, scheduling_euler_discrete,
               scheduling_flow_match_lcm, scheduling_k_dpm_2_ancestral_discrete, scheduling_lcm, scheduling_tcd):
    module.torch, module.np, module.randn_tensor = Double(torch), Double(numpy), randn_tensor
torch.set_default_dtype(torch.float64)


def generator_of(kind, seed):
    return Cuda(seed) if kind == "CUDA" else torch.Generator("cpu").manual_seed(seed)


def network(z, t):
    return 0.5 * torch.sin(1.3 * z + float(t) / 1000) + 0.2 * z


def number(v):
    return f"{float(v):.9g}"


def row(values):
    return "{" + ", ".join(map(number, values)) + "}"


def sequences():
    """Tensors of one generator after the other, whole."""
    mixed = [3, 17, 4, 16, 1, 33, 15, 2]  # the second number of a pair waits over tensors that do not take it
    print("static const int vector_sizes[] = {" + ", ".join(map(str, list(range(1, 41)) + mixed)) + "};")
    print("/* of one generator: tensors of sizes[first .. first + n) */")
    print("static const struct { unsigned long long seed; int first, n; float x[820]; } vector_sequences[] = {")
    for seed, first, sizes in [(0, 0, range(1, 41)), *((s, 40, mixed) for s in (42, 2**31, 5, 2**32 + 5, 2**63 + 12345, 2**64 - 1))]:
        g = torch.Generator("cpu").manual_seed(seed)
        x = [v for n in sizes for v in torch.randn(n, generator=g, dtype=torch.float32).tolist()]
        print(f"    {{{seed}ull, {first}, {len(sizes)}, {row(x)}}},")
    print("};\n")


def large():
    """Two tensors of one generator: every 97th number, the last 20, sums."""
    print("static const struct { unsigned long long seed; int n; double sum, squares; float last[20], each_97th[170]; } vector_large[] = {")
    for seed, sizes in ((42, (4 * 64 * 64, 4 * 64 * 64)), (2**64 - 1, (4 * 63 * 65, 3 * 37 * 29))):
        g = torch.Generator("cpu").manual_seed(seed)
        for n in sizes:
            x = torch.randn(n, generator=g, dtype=torch.float32)
            print(f"    {{{seed}ull, {n}, {x.double().sum():.12g}, {(x.double() ** 2).sum():.12g}, {row(x[-20:])}, {row(x[::97])}}},")
    print("};\n")


def gpu():
    print("static const struct { unsigned long long seed, tensor; float x[12]; } vector_cuda[] = {")
    for seed, tensor in ((0, 0), (0, 1), (42, 0), (2**32 + 5, 0), (2**63 + 12345, 2), (2**64 - 1, 1)):
        print(f"    {{{seed}ull, {tensor}, {row(cuda(seed, tensor, 12))}}},")
    print("};\n")
    print("/* the head of rng_philox.py, in double but for the two factors */")
    print(f"static const float vector_published[] = {row(PUBLISHED)};\n")


def flat(x):
    """[1, channels, height, width] -> [height, width, channels], as Limn has it."""
    return x[0].permute(1, 2, 0).reshape(-1).tolist()


BETAS = dict(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
VP = ".schedule.kind = LIMN_SCHEDULE_SCALED_LINEAR, .schedule.beta_start = 0.00085, .schedule.beta_end = 0.012, .prediction = LIMN_PREDICT_EPS"
FLOW = ".schedule.kind = LIMN_SCHEDULE_FLOW, .schedule.shift = 3.0, .prediction = LIMN_PREDICT_FLOW"


def run(scheduler, kind, seed, **more):
    g = generator_of(kind, seed)
    x = randn_tensor((1, CHANNELS, HEIGHT, WIDTH), generator=g) * getattr(scheduler, "init_noise_sigma", 1.0)
    seen = [flat(x)]
    for t in scheduler.timesteps:
        z = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(network(z, t), t, x, generator=g, return_dict=False, **more)[0]
        seen.append(flat(x))
    return seen


def run_function(sample, seed, steps):
    """x after each step, from a generator that goes on, as A1111 lets k-diffusion draw."""
    levels = diffusers.EulerDiscreteScheduler(**BETAS)
    levels.set_timesteps(steps)
    table = (((1 - levels.alphas_cumprod) / levels.alphas_cumprod) ** 0.5).double().numpy()
    times = {float(s): float(t) for s, t in zip(levels.sigmas, levels.timesteps)}
    g, seen = torch.Generator("cpu").manual_seed(seed), []

    def model(x, sigma):
        s = float(sigma[0])
        seen.append(flat(x))
        t = times.get(s, numpy.interp(numpy.log(s), numpy.log(table), numpy.arange(len(table))))
        return x - s * network(x / (s * s + 1) ** 0.5, t)

    x = randn_tensor((1, CHANNELS, HEIGHT, WIDTH), generator=g) * levels.sigmas[0]
    end = sample(model, x, levels.sigmas, disable=True, noise_sampler=lambda *_: randn_tensor(x.shape, generator=g))
    return seen + [flat(end)]


def trajectories():
    cases, steps = [], 3

    def add(name, options, seen, kind="CPU", seed=7):
        cases.append((f"{name} {kind}", f'.name = "{name}", .rng = LIMN_RNG_{kind}, .n_steps = {steps}, .schedule.n_train = 1000, .strength = 1, '
                      f".channels = {CHANNELS}, .out_channels = {CHANNELS}, {options}", seed, seen))

    def vp(cls, name, options="", kind="CPU", seed=7, eta=None, **config):
        scheduler = cls(**BETAS, **config)
        scheduler.set_timesteps(steps)
        add(name, VP + options, run(scheduler, kind, seed, **({} if eta is None else {"eta": eta})), kind, seed)

    vp(diffusers.EulerAncestralDiscreteScheduler, "euler_a")
    vp(diffusers.EulerAncestralDiscreteScheduler, "euler_a", seed=8)
    vp(diffusers.EulerAncestralDiscreteScheduler, "euler_a", kind="CUDA")
    vp(diffusers.EulerAncestralDiscreteScheduler, "euler_a", kind="CUDA", seed=8)
    vp(diffusers.DDPMScheduler, "ddpm", clip_sample=False)
    vp(diffusers.DDIMScheduler, "ddim", ", .eta = 1", eta=1.0, clip_sample=False)
    vp(diffusers.KDPM2AncestralDiscreteScheduler, "dpm2_a")
    vp(diffusers.DPMSolverMultistepScheduler, "dpm++2m_sde", algorithm_type="sde-dpmsolver++")
    vp(diffusers.LCMScheduler, "lcm")
    vp(diffusers.TCDScheduler, "tcd", ", .eta = 0.3", eta=0.3)
    add("dpm++2s_a", VP, run_function(k_diffusion.sampling.sample_dpmpp_2s_ancestral, 7, steps))
    scheduler = diffusers.FlowMatchLCMScheduler(shift=3.0)
    scheduler.set_timesteps(steps, sigmas=[1 - i / steps for i in range(steps)])
    add("lcm", FLOW, run(scheduler, "CPU", 7))
    print("/* x before the first call of the network and after each */")
    print(f"static const struct {{ const char *what; limn_sampler_options options; unsigned long long seed; int calls; float x[6][{CHANNELS * HEIGHT * WIDTH}]; }} "
          "vector_trajectories[] = {")
    for what, options, seed, seen in cases:
        print(f'    {{"{what}", {{{options}}}, {seed}, {len(seen) - 1}, {{')
        for x in seen:
            print(f"     {row(x)},")
        print("    }},")
    print("};")


def main():
    print(f"/* noise.h: written by oracle/noise_vectors.py with PyTorch {torch.__version__.split('+')[0]}, diffusers {diffusers.__version__} and "
          "k-diffusion 0.1.1.  Do not edit. */")
    print('#include "denoise/sampler.h"\n')
    sequences()
    large()
    gpu()
    trajectories()


main()
