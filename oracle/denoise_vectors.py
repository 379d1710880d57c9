"""Writes tests/vectors/denoise.h: schedules and samplers, from diffusers' schedulers.

usage: denoise_vectors.py > tests/vectors/denoise.h

The schedulers are made to work in double: their modules see a torch and a numpy whose float32 is float64.  The network is
network() below, which tests/test_denoise.c computes too.  Where a step adds noise, it is run three times: with noise 0 (mean), with noise 1
(spread = the difference), and with noise() for the picture that goes on.
"""
import copy
import math

import diffusers
import numpy
import torch
from diffusers.pipelines.stable_diffusion.pipeline_stable_diffusion import rescale_noise_cfg
from diffusers.schedulers import (scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete,
                                  scheduling_euler_discrete, scheduling_flow_match_euler_discrete, scheduling_flow_match_heun_discrete,
                                  scheduling_heun_discrete)
from diffusers.training_utils import compute_snr

PIXELS, CHANNELS = 2, 2


class Double:
    """A module whose float32 is float64."""

    def __init__(self, module):
        self.module = module
        self.float32 = module.float64

    def __getattr__(self, name):
        return getattr(self.module, name)


MODULES = [scheduling_ddim, scheduling_ddpm, scheduling_dpmsolver_multistep, scheduling_euler_ancestral_discrete, scheduling_euler_discrete,
           scheduling_flow_match_euler_discrete, scheduling_flow_match_heun_discrete, scheduling_heun_discrete]
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


def one_step(scheduler, y, t, x, z, **more):
    global given_noise
    given_noise = z
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
        mean = one_step(copy.deepcopy(scheduler), y, t, x, zero, **more)
        spread = one_step(copy.deepcopy(scheduler), y, t, x, one, **more) - mean
        calls.append((float(t), float(z.flatten()[0] / x.flatten()[0]), flat(x), flat(mean), flat(spread)))
        x = one_step(scheduler, y, t, x, noise(k), **more)
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
    if config.get("use_karras_sigmas"):
        fields.append(".karras = true")
        name.append("karras")
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


def main():
    all_cases()
    print(f"/* denoise.h: written by oracle/denoise_vectors.py with diffusers {diffusers.__version__}, in double.  Do not edit. */")
    print("#include \"denoise/sampler.h\"\n")
    print("typedef struct vector_call { double time, scale, x[4], mean[4], spread[4]; } vector_call;")
    print("typedef struct vector_case { const char *what; limn_sampler_options options; double init_sigma; int first, n; } vector_case;\n")
    print("static const vector_call vector_calls[] = {")
    for _, _, _, _, calls in cases:
        for t, scale, x, mean, spread in calls:
            print(f"    {{{number(t)}, {number(scale)}, {row(x)}, {row(mean)}, {row(spread) if any(spread) else '{0}'}}},")
    print("};\n")
    print("static const vector_case vector_cases[] = {")
    first = 0
    for name, sampler, options, init, calls in cases:
        print(f"    {{\"{name}\", {{.name = \"{sampler}\", .schedule.n_train = 1000, .strength = 1, {options}}}, {number(init)}, {first}, {len(calls)}}},")
        first += len(calls)
    print("};\n")
    alpha_bars()
    weights()
    noised()
    guidance()


main()
