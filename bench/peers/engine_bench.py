"""One case in OpenVINO or ncnn: forward|decode NET BATCH f32|bf16 openvino|ncnn [FOLDER].  Prints one line of JSON like limn-bench.

The network is PyTorch's of torch_bench.py, converted once (ncnn: by pnnx, minutes for vae; into FOLDER, where it is found again).
OpenVINO runs in f32 or bf16 with its hint for latency, ncnn in f32, or with numbers stored in bf16, with everything that
it switches on by itself: Winograd among it.
"""
import json
import os
import pathlib
import resource
import sys
import time

THREADS = 2
RUNS, LEAST_RUNS, ENOUGH = 7, 3, 10  # as limn-bench: at most, at least, seconds after which it is enough


def openvino(net, inputs, folder, precision):
    import openvino as ov
    core = ov.Core()
    path = folder / "model.xml"
    if not path.exists():
        ov.save_model(ov.convert_model(net, example_input=inputs), path, compress_to_fp16=False)
    hints = {"INFERENCE_NUM_THREADS": THREADS, "INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    compiled = core.compile_model(path, "CPU", hints)
    request = compiled.create_infer_request()
    values = [v.contiguous().numpy() for v in inputs]
    return lambda: request.infer(values)


def ncnn(net, inputs, folder, precision):
    import ncnn as engine
    if not (folder / "net.ncnn.param").exists():
        import pnnx
        pnnx.export(net, str(folder / "net.pt"), inputs, fp16=False)
    loaded = engine.Net()
    loaded.opt.num_threads = THREADS
    loaded.opt.use_vulkan_compute = False
    loaded.opt.use_fp16_packed = loaded.opt.use_fp16_storage = loaded.opt.use_fp16_arithmetic = False
    loaded.opt.use_bf16_storage = precision == "bf16"
    loaded.load_param(str(folder / "net.ncnn.param"))
    loaded.load_model(str(folder / "net.ncnn.bin"))
    values = [engine.Mat(v.squeeze(0).contiguous().numpy().copy()) for v in inputs]

    def step():
        with loaded.create_extractor() as extractor:
            for i, value in enumerate(values):
                extractor.input(f"in{i}", value)
            return extractor.extract("out0")
    return step


def network(mode, name, batch):
    import torch
    import networks
    import pictures
    torch.manual_seed(0)
    net = pictures.make(mode, name)
    inputs = (pictures if net is not None else networks).inputs(net, batch)
    return (net if net is not None else networks.make(name)).eval().requires_grad_(False), inputs


def spent():
    use = resource.getrusage(resource.RUSAGE_SELF)
    return use.ru_utime + use.ru_stime


def main():
    mode, name, batch, precision, how = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
    folder = pathlib.Path(sys.argv[6] if len(sys.argv) > 6 else "converted") / f"{mode}-{name}-{batch}-{how}".replace(" ", "-")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["OMP_WAIT_POLICY"] = "passive"
    step = {"openvino": openvino, "ncnn": ncnn}[how](*network(mode, name, batch), folder, precision)
    step()
    seconds, cpu = [], []
    while len(seconds) < RUNS and (len(seconds) < LEAST_RUNS or sum(seconds) < ENOUGH):
        begin, before = time.perf_counter(), spent()
        step()
        seconds.append(time.perf_counter() - begin)
        cpu.append(spent() - before)
    middle = [sorted(v)[len(v) // 2] * 1e3 for v in (seconds, cpu)]
    print(json.dumps({"who": how, "mode": mode, "net": name, "batch": batch, "precision": precision, "ms": round(middle[0], 3),
                      "cpu_ms": round(middle[1], 3), "images_per_s": round(batch * 1e3 / middle[0], 2),
                      "resident_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6, 1)}))


main()
