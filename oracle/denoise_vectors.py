"""Writes tests/vectors/denoise.h: schedules and samplers, from diffusers' schedulers, k-diffusion's functions where it has none.

usage: denoise_vectors.py > tests/vectors/denoise.h

The schedulers are made to work in double: their modules see a torch and a numpy whose float32 is float64.  The network is
network() below, which tests/test_denoise.c computes too.  Where a step adds noise, it is run three times: with noise 0 (mean), with noise 1
(spread = the difference), and with noise() for the picture that goes on.  DPM++ SDE has two noises a step, z and w: of a
Brownian path over sigma, z from the step's beginning to its middle, w from there to its end (spread holds both).  Levels that ComfyUI makes are restated in
table_levels().
"""
import copy
import inspect
import json
import math

import diffusers
import k_diffusion.sampling
import numpy
import scipy.stats
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from diffusers.schedulers import (scheduling_ddim, scheduling_ddpm, scheduling_deis_multistep, scheduling_dpmsolver_multistep,
                                  scheduling_dpmsolver_sde, scheduling_euler_ancestral_discrete, scheduling_euler_discrete,
                                  scheduling_flow_match_euler_discrete, scheduling_flow_match_heun_discrete, scheduling_flow_match_lcm,
                                  scheduling_heun_discrete, scheduling_k_dpm_2_ancestral_discrete, scheduling_k_dpm_2_discrete,
                                  scheduling_lcm, scheduling_lms_discrete, scheduling_pndm, scheduling_tcd, scheduling_unipc_multistep)
from diffusers.training_utils import compute_snr

PIXELS, CHANNELS = 2, 2


class Double:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self.module = module
        self.float32 = module.float64

    def __getattr__(self, name):
        return getattr(self.module, name)


MODULES = [scheduling_ddim, scheduling_ddpm, scheduling_deis_multistep, scheduling_dpmsolver_multistep, scheduling_dpmsolver_sde,
           scheduling_euler_ancestral_discrete, scheduling_euler_discrete, scheduling_flow_match_euler_discrete,
           scheduling_flow_match_heun_discrete, scheduling_flow_match_lcm, scheduling_heun_discrete, scheduling_k_dpm_2_ancestral_discrete,
           scheduling_k_dpm_2_discrete, scheduling_lcm, scheduling_lms_discrete, scheduling_pndm, scheduling_tcd, scheduling_unipc_multistep]
torch.set_default_dtype(torch.float64)
given_noise = None


def randn_tensor(shape, **_):
    return given_noise.reshape(shape).clone()


for module in MODULES:
    module.torch = Double(torch)
    module.np = Double(numpy)
    module.randn_tensor = randn_tensor


def network(z, t):
    """[1, 2, PIXELS] -> prediction and learned variance, each [1, 2, PIXELS]."""
    t = float(t) / 1000
    return 0.5 * torch.sin(1.3 * z + t) + 0.2 * z, torch.cos(2 * z + 3 * t)


def noise(k):
    return torch.tensor([math.sin(7 * k + 3 * i + 1) for i in range(PIXELS * CHANNELS)], dtype=torch.float64).reshape(1, CHANNELS, PIXELS)


def start():
    return torch.tensor([0.7, -1.1, 0.3, 1.6], dtype=torch.float64).reshape(1, CHANNELS, PIXELS)


def flat(x):
    """[1, channels, pixels] -> [pixels, channels], as Limn has it."""
    return x[0].transpose(0, 1).reshape(-1).tolist()


def path(z, w, sigma, middle, to):
    """Brownian motion from sigma to `to`, of unit variance."""
    part = (sigma - middle) / (sigma - to)
    return part ** 0.5 * z + (1 - part) ** 0.5 * w


def one_step(scheduler, y, t, x, z, w=None, **more):
    """w: the second noise of DPM++ SDE, which is asked for the noise between two sigmas."""
    global given_noise
    given_noise = z
    if isinstance(scheduler, diffusers.DPMSolverSDEScheduler):
        first = scheduler.state_in_first_order
        scheduler.noise_sampler = lambda sigma, to: z if first else path(z, w, sigma, (sigma * to) ** 0.5, to)
    return scheduler.step(y, t, x, return_dict=False, **more)[0]


def run(scheduler, learned=False, eta=None):
    more = {} if eta is None else {"eta": eta}
    x = start() * float(getattr(scheduler, "init_noise_sigma", 1.0))
    calls = []
    for k, t in enumerate(scheduler.timesteps):
        z = scheduler.scale_model_input(x, t) if hasattr(scheduler, "scale_model_input") else x
        y, v = network(z, t)
        y = torch.cat([y, v], dim=1) if learned else y
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        mean = one_step(copy.deepcopy(scheduler), y, t, x, zero, zero, **more)
        spread = one_step(copy.deepcopy(scheduler), y, t, x, one, zero, **more) - mean
        second = one_step(copy.deepcopy(scheduler), y, t, x, zero, one, **more) - mean
        calls.append((float(t), float(z.flatten()[0] / x.flatten()[0]), flat(x), flat(mean), flat(spread), flat(second)))
        x = one_step(scheduler, y, t, x, noise(k), noise(k + 50), **more)
    return calls


def run_function(sample, sigmas, time_of, flow=False):
    """A function of k-diffusion; its network is called with x and sigma, and the step's noise is asked for after the last of its calls."""
    n = len(sigmas) - 1

    def once(noises):
        seen, asked = [], []

        def model(x, sigma):
            sigma = float(sigma[0])
            scale = 1.0 if flow else 1 / (sigma ** 2 + 1) ** 0.5
            y, _ = network(x * scale, time_of(sigma))
            seen.append((time_of(sigma), scale, x.clone()))
            return x - sigma * y

        def noise_sampler(sigma, to):
            asked.append(len(seen))
            return noises[len(asked) - 1]

        more = {"noise_sampler": noise_sampler} if noises else {}
        end = sample(model, start() * (1.0 if flow else float(sigmas[0])), torch.tensor(sigmas), disable=True, **more)
        return seen + [(0, 0, end)], asked

    ancestral = "noise_sampler" in inspect.signature(sample).parameters
    noises = [noise(i) for i in range(n)] if ancestral else []
    seen, asked = once(noises)
    calls = []
    for k, (t, scale, x) in enumerate(seen[:-1]):
        mean, spread = seen[k + 1][2], torch.zeros_like(x)
        if k + 1 in asked:  # noise number i makes the x that is seen next
            i = asked.index(k + 1)
            other = [once(noises[:i] + [v] + noises[i + 1:])[0][k + 1][2] for v in (torch.zeros_like(x), torch.ones_like(x))]
            mean, spread = other[0], other[1] - other[0]
        calls.append((t, scale, flat(x), flat(mean), flat(spread), [0.0] * 4))
    return calls


def number(v):
    return f"{v:.10g}" if v else "0"


def row(values):
    return "{" + ", ".join(number(v) for v in values) + "}"


SCHEDULES = {"linear": "LIMN_SCHEDULE_LINEAR", "scaled_linear": "LIMN_SCHEDULE_SCALED_LINEAR", "squaredcos_cap_v2": "LIMN_SCHEDULE_COSINE"}
BETAS = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "squaredcos_cap_v2": (1e-4, 0.02)}
PREDICTIONS = {"epsilon": "LIMN_PREDICT_EPS", "v_prediction": "LIMN_PREDICT_V", "sample": "LIMN_PREDICT_X0", "flow_prediction": "LIMN_PREDICT_FLOW"}
cases = []


def add(name, sampler, options, init, calls):
    cases.append((name, sampler, options, init, calls))


def vp(cls, sampler, beta, prediction, steps, spacing=None, offset=0, learned=False, eta=None, **config):
    fields = [f".schedule.kind = {SCHEDULES[beta]}", f".schedule.beta_start = {BETAS[beta][0]}", f".schedule.beta_end = {BETAS[beta][1]}",
              f".prediction = {PREDICTIONS[prediction]}", f".n_steps = {steps}"]
    name = [sampler, beta, prediction, str(steps)]
    settings = dict(beta_schedule=beta, beta_start=BETAS[beta][0], beta_end=BETAS[beta][1], prediction_type=prediction, **config)
    if "set_alpha_to_one" not in config and cls is diffusers.PNDMScheduler:
        settings["set_alpha_to_one"] = True
    if spacing:
        settings["timestep_spacing"] = spacing
        fields.append(f".spacing = LIMN_SPACING_{spacing.upper()}")
        name.append(spacing)
    if offset:
        settings["steps_offset"] = offset
        fields.append(f".steps_offset = {offset}")
    if eta is not None:
        fields.append(f".eta = {eta}")
        name.append(f"eta {eta}")
    if learned:
        settings["variance_type"] = "learned_range"
        fields.append(f".variance = LIMN_VARIANCE_LEARNED_RANGE, .channels = {CHANNELS}, .out_channels = {2 * CHANNELS}")
        name.append("learned range")
    if config.get("variance_type") == "fixed_large":
        fields.append(".variance = LIMN_VARIANCE_LARGE")
        name.append("large")
    for kind, field in (("karras", "KARRAS"), ("exponential", "EXPONENTIAL"), ("beta", "BETA_RANGE")):
        if config.get(f"use_{kind}_sigmas"):
            fields.append(f".sigmas = LIMN_SIGMAS_{field}")
            name.append(kind)
    if config.get("clip_sample"):
        fields.append(".clip = 1")
        name.append("clip")
    if config.get("set_alpha_to_one") is False:
        fields.append(".keep_first_noise = true")
    if config.get("rescale_betas_zero_snr"):
        fields.append(".schedule.zero_snr = true")
        name.append("zero snr")
    if cls in (diffusers.DDPMScheduler, diffusers.DDIMScheduler):
        settings.setdefault("clip_sample", False)
    scheduler = cls(**settings)
    scheduler.set_timesteps(steps)
    add(" ".join(name), sampler, ", ".join(fields), float(scheduler.init_noise_sigma), run(scheduler, learned, eta))


def flow(cls, sampler, steps, shift, trailing, levels=None):
    fields = [".schedule.kind = LIMN_SCHEDULE_FLOW", f".schedule.shift = {shift}", ".prediction = LIMN_PREDICT_FLOW", f".n_steps = {steps}"]
    fields.append(f".spacing = LIMN_SPACING_{'TRAILING' if trailing else 'LINSPACE'}")
    scheduler = cls(shift=shift)
    if trailing:
        scheduler.set_timesteps(steps, sigmas=[1 - i / steps for i in range(steps)])
    else:
        scheduler.set_timesteps(steps)
    add(f"{sampler} shift {shift} {'trailing' if trailing else 'linspace'}", sampler, ", ".join(fields), 1.0, run(scheduler))


def flow_multistep(steps, shift):
    """DPM++ 2M on the levels of flow Euler (its own spacing of flow is another)."""
    levels = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    levels.set_timesteps(steps, sigmas=[1 - i / steps for i in range(steps)])
    scheduler = diffusers.DPMSolverMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    scheduler.set_timesteps(steps)
    scheduler.sigmas, scheduler.timesteps = levels.sigmas.double(), levels.timesteps.double()
    fields = [".schedule.kind = LIMN_SCHEDULE_FLOW", f".schedule.shift = {shift}", ".prediction = LIMN_PREDICT_FLOW", f".n_steps = {steps}"]
    add(f"dpm++2m flow shift {shift}", "dpm++2m", ", ".join(fields), 1.0, run(scheduler))


def log_time(sigma, table):
    """The timestep of a sigma, linear in log(sigma) between whole ones."""
    return float(numpy.interp(math.log(sigma), numpy.log(table), numpy.arange(len(table))))


def table_of(beta):
    scheduler = diffusers.EulerDiscreteScheduler(beta_schedule=beta, beta_start=BETAS[beta][0], beta_end=BETAS[beta][1])
    return (((1 - scheduler.alphas_cumprod) / scheduler.alphas_cumprod) ** 0.5).double().numpy()


AYS = {"ays": [14.6146412293, 6.4745760956, 3.8636745985, 2.6946151520, 1.8841921177, 1.3943805092, 0.9642583904, 0.6523686016, 0.3977456272,
               0.1515232662, 0.0291671582],
       "ays_sdxl": [14.6146412293, 6.3184485287, 3.7681790315, 2.1811480769, 1.3405244945, 0.8620721141, 0.5550693289, 0.3798540708,
                    0.2332364134, 0.1114188177, 0.0291671582]}


def table_levels(kind, table, n, shift=None):
    """comfy/samplers.py (normal_scheduler, simple_scheduler, beta_scheduler) and nodes_align_your_steps.py -> sigmas, timesteps; table: sigmas
    by timestep; shift: of flow, whose timestep is 1000 sigma and whose sigma of a timestep is shifted"""
    if shift is None:
        sigma_of = lambda t: math.exp(numpy.interp(t, numpy.arange(len(table)), numpy.log(table)))
        time_of, ends = (lambda sigma: log_time(sigma, table)), (len(table) - 1, 0)
    else:
        shifted = lambda s: shift * s / (1 + (shift - 1) * s)
        table = [shifted((i + 1) / 1000) for i in range(1000)]
        sigma_of, time_of, ends = (lambda t: shifted(t / 1000)), (lambda sigma: 1000 * sigma), (1000 * table[-1], 1000 * table[0])
    if kind in ("normal", "sgm_uniform"):
        times = numpy.linspace(*ends, n + 1)[:-1] if kind == "sgm_uniform" else numpy.linspace(*ends, n)
        sigmas = [sigma_of(t) for t in times]
    elif kind == "simple":
        times = [len(table) - 1 - int(x * (len(table) / n)) for x in range(n)]
        sigmas = [table[t] for t in times]
    elif kind == "beta":
        times = numpy.rint(scipy.stats.beta.ppf(1 - numpy.linspace(0, 1, n, endpoint=False), 0.6, 0.6) * (len(table) - 1))
        sigmas = [table[int(t)] for t in times]
    else:
        levels = numpy.log(AYS[kind][::-1])
        sigmas = numpy.exp(numpy.interp(numpy.linspace(0, 1, n + 1), numpy.linspace(0, 1, 11), levels))[::-1][:-1]
        times = [time_of(s) for s in sigmas]
    return [float(s) for s in sigmas], [float(t) for t in (times if shift is None else [time_of(s) for s in sigmas])]


def settings_of(beta, prediction, steps, extra=()):
    return ", ".join([f".schedule.kind = {SCHEDULES[beta]}", f".schedule.beta_start = {BETAS[beta][0]}", f".schedule.beta_end = {BETAS[beta][1]}",
                      f".prediction = {PREDICTIONS[prediction]}", f".n_steps = {steps}", *extra])


def on_table(cls, sampler, kind, steps, beta="scaled_linear", whole=False, **config):
    """A scheduler of diffusers on levels that ComfyUI makes."""
    sigmas, times = table_levels(kind, table_of(beta), steps)
    scheduler = cls(beta_schedule=beta, beta_start=BETAS[beta][0], beta_end=BETAS[beta][1], **config)
    scheduler.set_timesteps(steps)
    scheduler.sigmas, scheduler.timesteps = torch.tensor(sigmas + [0.0]), torch.tensor([float(round(t)) if whole else t for t in times])
    add(f"{sampler} {kind} {steps}", sampler, settings_of(beta, "epsilon", steps, [f".sigmas = LIMN_SIGMAS_{kind.upper()}"]),
        1.0 if whole else sigmas[0], run(scheduler))


def flow_settings(shift, steps, extra=()):
    return ", ".join([".schedule.kind = LIMN_SCHEDULE_FLOW", f".schedule.shift = {shift}", ".prediction = LIMN_PREDICT_FLOW", f".n_steps = {steps}", *extra])


def flow_on_table(kind, steps, shift):
    sigmas, times = table_levels(kind, None, steps, shift)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps, sigmas=[1 - i / steps for i in range(steps)])
    scheduler.sigmas, scheduler.timesteps = torch.tensor(sigmas + [0.0]), torch.tensor(times)
    add(f"euler flow {kind} {steps}", "euler", flow_settings(shift, steps, [f".sigmas = LIMN_SIGMAS_{kind.upper()}"]), 1.0, run(scheduler))


def function(sample, sampler, steps, beta="scaled_linear"):
    """A function of k-diffusion on the levels of diffusers' Euler."""
    levels = diffusers.EulerDiscreteScheduler(beta_schedule=beta, beta_start=BETAS[beta][0], beta_end=BETAS[beta][1])
    levels.set_timesteps(steps)
    sigmas, table = [float(s) for s in levels.sigmas], table_of(beta)
    times = dict(zip(sigmas, map(float, levels.timesteps)))
    add(f"{sampler} {beta} {steps}", sampler, settings_of(beta, "epsilon", steps), sigmas[0],
        run_function(sample, sigmas, lambda s: times.get(s, log_time(s, table))))


def flow_function(sample, sampler, steps, shift):
    sigmas = [shift * s / (1 + (shift - 1) * s) for s in (1 - i / steps for i in range(steps))] + [0.0]
    add(f"{sampler} flow shift {shift}", sampler, flow_settings(shift, steps), 1.0, run_function(sample, sigmas, lambda s: 1000 * s, flow=True))


def flow_multistep_of(cls, sampler, steps, shift, first=1.0, last=0.0, **config):
    """Like flow_multistep(); UniPC takes a millionth of signal in pure noise; DEIS can not go to no noise at all, where it divides 0 by 0."""
    levels = diffusers.FlowMatchEulerDiscreteScheduler(shift=shift)
    levels.set_timesteps(steps, sigmas=[1 - i / steps for i in range(steps)])
    scheduler = cls(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, **config)
    scheduler.set_timesteps(steps)
    scheduler.sigmas, scheduler.timesteps = levels.sigmas.double(), levels.timesteps.double()
    scheduler.sigmas[0], scheduler.sigmas[-1] = first, last
    add(f"{sampler} flow shift {shift} {steps}", sampler, flow_settings(shift, steps), 1.0, run(scheduler))


def more_cases():
    kdpm, ancestral, lms = diffusers.KDPM2DiscreteScheduler, diffusers.KDPM2AncestralDiscreteScheduler, diffusers.LMSDiscreteScheduler
    dpm, unipc, deis, sde = (diffusers.DPMSolverMultistepScheduler, diffusers.UniPCMultistepScheduler, diffusers.DEISMultistepScheduler,
                             diffusers.DPMSolverSDEScheduler)
    pndm, lcm, tcd = diffusers.PNDMScheduler, diffusers.LCMScheduler, diffusers.TCDScheduler
    stochastic = dict(algorithm_type="sde-dpmsolver++")
    for prediction in ("epsilon", "v_prediction"):
        vp(kdpm, "dpm2", "scaled_linear", prediction, 4)
        vp(ancestral, "dpm2_a", "scaled_linear", prediction, 4)
        vp(sde, "dpm++sde", "scaled_linear", prediction, 4)
        vp(lms, "lms", "scaled_linear", prediction, 6)
        vp(pndm, "plms", "scaled_linear", prediction, 6, skip_prk_steps=True)
        vp(pndm, "pndm", "scaled_linear", prediction, 6)
    for prediction in ("epsilon", "v_prediction", "sample"):
        vp(dpm, "dpm++2m_sde", "scaled_linear", prediction, 5, **stochastic)
        vp(unipc, "unipc", "scaled_linear", prediction, 6)
        vp(deis, "deis", "scaled_linear", prediction, 5)
        vp(lcm, "lcm", "scaled_linear", prediction, 4)
        vp(tcd, "tcd", "scaled_linear", prediction, 4, eta=0.3)
    function(k_diffusion.sampling.sample_dpmpp_2s_ancestral, "dpm++2s_a", 4)
    function(k_diffusion.sampling.sample_dpmpp_2s_ancestral, "dpm++2s_a", 3, "linear")
    for cls, sampler in ((kdpm, "dpm2"), (ancestral, "dpm2_a"), (sde, "dpm++sde"), (lms, "lms"), (unipc, "unipc"), (deis, "deis"),
                         (diffusers.EulerDiscreteScheduler, "euler"), (dpm, "dpm++2m")):
        for kind in ("karras", "exponential", "beta"):
            vp(cls, sampler, "scaled_linear", "epsilon", 4, **{f"use_{kind}_sigmas": True})
    for cls, sampler in ((kdpm, "dpm2"), (lms, "lms"), (unipc, "unipc"), (deis, "deis"), (pndm, "pndm")):
        vp(cls, sampler, "linear", "epsilon", 5, spacing="leading", offset=1)
        vp(cls, sampler, "squaredcos_cap_v2", "v_prediction", 5, spacing="trailing")
    vp(pndm, "plms", "scaled_linear", "epsilon", 5, offset=1, skip_prk_steps=True, set_alpha_to_one=False)
    vp(pndm, "plms", "scaled_linear", "epsilon", 1, skip_prk_steps=True)
    vp(pndm, "plms", "scaled_linear", "epsilon", 4, spacing="trailing", skip_prk_steps=True)
    vp(deis, "deis", "scaled_linear", "epsilon", 16)
    vp(unipc, "unipc", "scaled_linear", "v_prediction", 5, spacing="trailing", rescale_betas_zero_snr=True)
    vp(unipc, "unipc", "scaled_linear", "epsilon", 1)
    vp(lcm, "lcm", "scaled_linear", "epsilon", 1)
    vp(lcm, "lcm", "scaled_linear", "v_prediction", 7, rescale_betas_zero_snr=True)
    vp(lcm, "lcm", "scaled_linear", "epsilon", 3, clip_sample=True)
    vp(tcd, "tcd", "scaled_linear", "epsilon", 3, eta=1.0)
    vp(tcd, "tcd", "scaled_linear", "epsilon", 1, eta=0.0)
    for kind in ("normal", "sgm_uniform", "simple", "beta", "ays", "ays_sdxl"):
        on_table(diffusers.EulerDiscreteScheduler, "euler", kind, 7)
        on_table(dpm, "dpm++2m", kind, 5, whole=True)
    on_table(diffusers.EulerDiscreteScheduler, "euler", "ays", 10)
    on_table(diffusers.EulerDiscreteScheduler, "euler", "normal", 4, beta="linear")
    for kind in ("normal", "sgm_uniform", "simple", "beta"):
        flow_on_table(kind, 5, 3.0)
    flow_function(k_diffusion.sampling.sample_dpm_2, "dpm2", 4, 3.0)
    flow_function(k_diffusion.sampling.sample_lms, "lms", 6, 3.0)
    flow_multistep_of(unipc, "unipc", 5, 3.0, first=1 - 1e-6)
    flow_multistep_of(dpm, "dpm++2m_sde", 5, 3.0, **stochastic)
    flow_multistep_of(deis, "deis", 5, 3.0, first=1 - 1e-6, last=1e-12)
    flow_multistep_of(deis, "deis", 16, 1.0, first=1 - 1e-6, last=1e-12)
    scheduler = diffusers.FlowMatchLCMScheduler(shift=3.0)
    scheduler.set_timesteps(4, sigmas=[1 - i / 4 for i in range(4)])
    add("lcm flow shift 3.0", "lcm", flow_settings(3.0, 4), 1.0, run(scheduler))


def all_cases():
    ddpm, ddim, euler, ancestral = (diffusers.DDPMScheduler, diffusers.DDIMScheduler, diffusers.EulerDiscreteScheduler,
                                    diffusers.EulerAncestralDiscreteScheduler)
    heun, dpm = diffusers.HeunDiscreteScheduler, diffusers.DPMSolverMultistepScheduler
    for beta in SCHEDULES:
        for prediction in ("epsilon", "v_prediction", "sample"):
            vp(ddpm, "ddpm", beta, prediction, 4)
            vp(ddim, "ddim", beta, prediction, 4)
            vp(euler, "euler", beta, prediction, 4)
            vp(dpm, "dpm++2m", beta, prediction, 5)
        vp(ancestral, "euler_a", beta, "epsilon", 4)
        vp(ancestral, "euler_a", beta, "v_prediction", 4)
        vp(heun, "heun", beta, "epsilon", 3)
        vp(heun, "heun", beta, "v_prediction", 3)
        vp(dpm, "dpm++2m", beta, "epsilon", 5, use_karras_sigmas=True)
        vp(ddpm, "ddpm", beta, "epsilon", 4, learned=True)
    vp(ddpm, "ddpm", "linear", "epsilon", 4, spacing="trailing")
    vp(ddpm, "ddpm", "linear", "epsilon", 4, spacing="linspace")
    vp(ddpm, "ddpm", "linear", "epsilon", 4, variance_type="fixed_large")
    vp(ddpm, "ddpm", "linear", "epsilon", 4, clip_sample=True)
    vp(ddpm, "ddpm", "linear", "epsilon", 4, learned=True, clip_sample=True)
    vp(ddim, "ddim", "linear", "epsilon", 4, eta=1.0)
    vp(ddim, "ddim", "scaled_linear", "v_prediction", 4, eta=0.5)
    vp(ddim, "ddim", "scaled_linear", "epsilon", 4, offset=1, set_alpha_to_one=False)
    vp(ddim, "ddim", "scaled_linear", "v_prediction", 4, spacing="trailing", rescale_betas_zero_snr=True)
    vp(ddim, "ddim", "linear", "epsilon", 4, clip_sample=True)
    vp(euler, "euler", "scaled_linear", "epsilon", 4, spacing="leading", offset=1)
    vp(euler, "euler", "scaled_linear", "epsilon", 4, spacing="trailing")
    vp(euler, "euler", "scaled_linear", "v_prediction", 4, spacing="trailing", rescale_betas_zero_snr=True)
    vp(euler, "euler", "scaled_linear", "epsilon", 4, use_karras_sigmas=True)
    vp(euler, "euler", "linear", "v_prediction", 4, use_karras_sigmas=True)
    vp(ancestral, "euler_a", "scaled_linear", "epsilon", 4, spacing="leading", offset=1)
    vp(heun, "heun", "scaled_linear", "epsilon", 3, use_karras_sigmas=True)
    vp(dpm, "dpm++2m", "scaled_linear", "epsilon", 5, spacing="leading", offset=1)
    vp(dpm, "dpm++2m", "scaled_linear", "v_prediction", 5, spacing="trailing", use_karras_sigmas=True)
    vp(dpm, "dpm++2m", "scaled_linear", "epsilon", 1)
    for shift in (1.0, 3.0):
        for trailing in (True, False):
            flow(diffusers.FlowMatchEulerDiscreteScheduler, "flow_euler", 4, shift, trailing)
        flow_multistep(4, shift)
    flow(diffusers.FlowMatchEulerDiscreteScheduler, "euler", 4, 3.0, True)
    flow(diffusers.FlowMatchHeunDiscreteScheduler, "flow_heun", 3, 3.0, False)
    flow(diffusers.FlowMatchHeunDiscreteScheduler, "heun", 3, 1.0, False)


def alpha_bars():
    ts = [0, 1, 10, 250, 500, 777, 998, 999]
    print("static const int vector_times[] = " + "{" + ", ".join(map(str, ts)) + "};")
    print("static const struct { limn_schedule_options options; double alpha_bar[8], sigma_1_5; } vector_schedules[] = {")
    for beta in SCHEDULES:
        for zero in (False, True):
            settings = dict(beta_schedule=beta, beta_start=BETAS[beta][0], beta_end=BETAS[beta][1], rescale_betas_zero_snr=zero)
            scheduler = diffusers.DDIMScheduler(**settings)
            bars = scheduler.alphas_cumprod
            sigmas = ((1 - bars) / bars) ** 0.5
            print(f"    {{{{.kind = {SCHEDULES[beta]}, .n_train = 1000, .beta_start = {BETAS[beta][0]}, .beta_end = {BETAS[beta][1]}, .zero_snr = {str(zero).lower()}}},")
            print(f"     {row([float(bars[t]) for t in ts])}, {number(float((sigmas[1] + sigmas[2]) / 2))}}},")
    print("};")


def quantiles():
    print("static const struct { double p, q; } vector_beta[] = {")
    for p in (0.0, 1e-6, 0.001, 0.05, 0.3, 0.5, 0.75, 0.999, 1.0):
        print(f"    {{{number(p)}, {scipy.stats.beta.ppf(p, 0.6, 0.6):.15g}}},")
    print("};")


def weights():
    """As diffusers' train_text_to_image.py has them."""
    scheduler = diffusers.DDPMScheduler()
    print("static const struct { int t; double gamma, snr, eps, v; } vector_min_snr[] = {")
    for t in (0, 100, 400, 800, 999):
        for gamma in (1.0, 5.0):
            snr = float(compute_snr(scheduler, torch.tensor([t])))
            least = min(snr, gamma)
            print(f"    {{{t}, {gamma}, {number(snr)}, {number(least / snr)}, {number(least / (snr + 1))}}},")
    print("};")


def noised():
    """add_noise and get_velocity at some timesteps; noise in place of x0 and the other way round for flow's scale_noise."""
    x0, n = start(), noise(0)
    print("static const struct { limn_schedule_kind kind; int t; double x_t[4], velocity[4]; } vector_noised[] = {")
    for beta in SCHEDULES:
        scheduler = diffusers.DDPMScheduler(beta_schedule=beta, beta_start=BETAS[beta][0], beta_end=BETAS[beta][1])
        for t in (0, 300, 999):
            at = torch.tensor([t])
            print(f"    {{{SCHEDULES[beta]}, {t}, {row(flat(scheduler.add_noise(x0, n, at)))}, {row(flat(scheduler.get_velocity(x0, n, at)))}}},")
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(4, sigmas=[1.0, 0.75, 0.5, 0.25])
    for t in (250, 500):
        x_t = scheduler.scale_noise(x0, torch.tensor([float(t)], dtype=torch.float64), n)
        print(f"    {{LIMN_SCHEDULE_FLOW, {t}, {row(flat(x_t))}, {row(flat(n - x0))}}},")
    print("};")


def guidance():
    cond, uncond = noise(2), noise(3)
    print("static const struct { double scale, phi, out[4]; } vector_guidance[] = {")
    for scale, phi in ((1.0, 0.0), (7.5, 0.0), (7.5, 0.7), (3.0, 1.0), (0.0, 0.0)):
        out = uncond + scale * (cond - uncond)
        if phi:
            out = rescale_noise_cfg(out, cond, guidance_rescale=phi)
        print(f"    {{{scale}, {phi}, {row(flat(out))}}},")
    print("};")


SD = '"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000, "trained_betas": null'
CONFIGS = [  # as published folders have them, and each class with nothing but its name
    f'{{"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", {SD}, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "clip_sample": false}}',
    f'{{"_class_name": "DDIMScheduler", {SD}, "clip_sample": false, "prediction_type": "v_prediction", "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1}}',
    f'{{"_class_name": "EulerDiscreteScheduler", {SD}, "clip_sample": false, "interpolation_type": "linear", "prediction_type": "epsilon", "sample_max_value": 1.0, "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "timestep_spacing": "leading", "use_karras_sigmas": false}}',
    f'{{"_class_name": "EulerAncestralDiscreteScheduler", {SD}, "prediction_type": "epsilon", "steps_offset": 1, "timestep_spacing": "trailing", "rescale_betas_zero_snr": false}}',
    f'{{"_class_name": "EulerDiscreteScheduler", {SD}, "prediction_type": "v_prediction", "rescale_betas_zero_snr": true, "timestep_spacing": "trailing", "sigma_min": null, "final_sigmas_type": "zero", "timestep_type": "discrete"}}',
    f'{{"_class_name": "LCMScheduler", {SD}, "clip_sample": false, "clip_sample_range": 1.0, "original_inference_steps": 50, "prediction_type": "epsilon", "steps_offset": 1, "thresholding": false, "timestep_scaling": 10.0, "timestep_spacing": "leading"}}',
    '{"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++", "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001, "dynamic_thresholding_ratio": 0.995, "euler_at_final": false, "lambda_min_clipped": -Infinity, "lower_order_final": true, "num_train_timesteps": 1000, "prediction_type": "epsilon", "sample_max_value": 1.0, "solver_order": 2, "solver_type": "midpoint", "steps_offset": 0, "thresholding": false, "timestep_spacing": "linspace", "trained_betas": null, "use_karras_sigmas": false, "use_lu_lambdas": false, "variance_type": null}',
    f'{{"_class_name": "DPMSolverMultistepScheduler", {SD}, "algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": true, "lambda_min_clipped": -5.1, "solver_type": "bh2", "steps_offset": 1, "timestep_spacing": "leading"}}',
    f'{{"_class_name": "UniPCMultistepScheduler", {SD}, "disable_corrector": [], "solver_p": null, "predict_x0": true, "solver_type": "midpoint", "use_exponential_sigmas": true, "steps_offset": 1}}',
    f'{{"_class_name": "DEISMultistepScheduler", {SD}, "algorithm_type": "dpmsolver++", "solver_type": "midpoint", "use_beta_sigmas": true}}',
    '{"_class_name": "DDPMScheduler", "beta_end": 0.02, "beta_schedule": "squaredcos_cap_v2", "beta_start": 0.0001, "clip_sample": true, "clip_sample_range": 2.5, "variance_type": "fixed_large", "prediction_type": "sample", "timestep_spacing": "leading"}',
    f'{{"_class_name": "HeunDiscreteScheduler", {SD}, "use_karras_sigmas": true, "clip_sample": true}}',
    f'{{"_class_name": "TCDScheduler", {SD}, "original_inference_steps": 50, "steps_offset": 1, "timestep_spacing": "leading"}}',
    '{"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 3.0, "final_sigmas_type": "zero", "time_shift_type": "exponential", "use_dynamic_shifting": false, "timestep_spacing": "linspace", "steps_offset": 0}',
    f'{{"_class_name": "UniPCMultistepScheduler", {SD}, "prediction_type": "flow_prediction", "use_flow_sigmas": true, "timestep_spacing": "trailing", "rescale_betas_zero_snr": true}}',
    '{"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "dpmsolver++", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 3.0, "solver_order": 2, "lambda_min_clipped": -Infinity}',
    '{"_class_name": "DPMSolverMultistepScheduler", "algorithm_type": "sde-dpmsolver++", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "num_train_timesteps": 500}',
    '{"_class_name": "DEISMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": true, "flow_shift": 5.0, "solver_order": 2}',
    '{"_class_name": "DEISMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": true}',
    '{"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 3.0, "use_dynamic_shifting": false, "base_shift": 0.5, "max_shift": 1.15}',
] + [f'{{"_class_name": "{name}"}}' for name in (
    "DDPMScheduler", "DDIMScheduler", "PNDMScheduler", "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler",
    "KDPM2DiscreteScheduler", "KDPM2AncestralDiscreteScheduler", "LMSDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSDEScheduler",
    "UniPCMultistepScheduler", "DEISMultistepScheduler", "LCMScheduler", "TCDScheduler", "FlowMatchEulerDiscreteScheduler",
    "FlowMatchHeunDiscreteScheduler")]


def run_config(text, steps=6):
    config = json.loads(text)
    scheduler = getattr(diffusers, config["_class_name"]).from_config(config)
    scheduler.set_timesteps(steps)
    return float(getattr(scheduler, "init_noise_sigma", 1.0)), run(scheduler, eta=0.0 if "TCD" in text else None)


def main():
    all_cases()
    more_cases()
    configs = [(text, *run_config(text)) for text in CONFIGS]
    print(f"/* denoise.h: written by oracle/denoise_vectors.py with diffusers {diffusers.__version__} and k-diffusion 0.1.1, in double.  Do not edit. */")
    print("#include \"denoise/sampler.h\"\n")
    print("typedef struct vector_call { double time, scale, x[4], mean[4], spread[8]; } vector_call;")
    print("typedef struct vector_case { const char *what; limn_sampler_options options; double init_sigma; int first, n; } vector_case;\n")
    print("static const vector_call vector_calls[] = {")
    for calls in [case[-1] for case in cases] + [config[-1] for config in configs]:
        for t, scale, x, mean, spread, more in calls:
            spread = spread + more if any(more) else spread
            print(f"    {{{number(t)}, {number(scale)}, {row(x)}, {row(mean)}, {row(spread) if any(spread) else '{0}'}}},")
    print("};\n")
    print("static const vector_case vector_cases[] = {")
    first = 0
    for name, sampler, options, init, calls in cases:
        print(f"    {{\"{name}\", {{.name = \"{sampler}\", .schedule.n_train = 1000, .strength = 1, {options}}}, {number(init)}, {first}, {len(calls)}}},")
        first += len(calls)
    print("};\n")
    print("/* scheduler_config.json, what six steps of it are */")
    print("static const struct { const char *json; double init_sigma; int first, n; } vector_configs[] = {")
    for text, init, calls in configs:
        print(f"    {{{json.dumps(text)}, {number(init)}, {first}, {len(calls)}}},")
        first += len(calls)
    print("};\n")
    alpha_bars()
    quantiles()
    weights()
    noised()
    guidance()


main()
