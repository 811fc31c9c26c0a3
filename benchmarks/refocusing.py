"""Time refocusing of a camera frame, whole and patch by patch, by Deep-R and by CARE.

Run as ``python benchmarks/refocusing.py``, with ``workflow`` and csbdeep on the PYTHONPATH and nothing else running.
The weights are not trained: time does not depend on them.
"""

import argparse
import contextlib
import functools
import io

import care_network
import numpy as np
from comparison import OURS, PEER, own_processes, show, take_turns, time_row
from deepr.autofocus import CAMERA_PX, FRAME_AREA_MM2

PATCH_PX = 512
WAYS = {
    "patches": (f"a frame of {CAMERA_PX} x {CAMERA_PX} px in patches of {PATCH_PX} x {PATCH_PX} px", FRAME_AREA_MM2),
    "frame": (f"a frame of {CAMERA_PX} x {CAMERA_PX} px as a whole", FRAME_AREA_MM2),
    "one": (f"one patch of {PATCH_PX} x {PATCH_PX} px", FRAME_AREA_MM2 * (PATCH_PX / CAMERA_PX) ** 2),
}


def measure(repeats=10, threads=2, base_channels=8):
    """Give the rows of both networks, in seconds per square millimetre at 20x (0.325 um pixels)."""
    # Imported here: the processes that are timed import this file, and have to set TensorFlow up first.
    from deepr.networks.precision import has_bfloat16

    deepr, care = f"deepr, base {base_channels}", "csbdeep, CARE"
    builders = {deepr: (build_deepr, threads, base_channels, "float32"), care: (build_care, threads)}
    if has_bfloat16():
        builders[f"{deepr}, bfloat16"] = (build_deepr, threads, base_channels, "bfloat16")
    with own_processes(builders) as executors:

        def ask(name, way):
            return lambda: executors[name].submit(refocus_frame, way, *builders[name]).result()

        programs = {(way, name): ask(name, way) for way in WAYS for name in builders}
        programs["frame", "csbdeep, CARE.predict"] = ask(care, "own")
        seconds, _ = take_turns(programs, repeats, warm_up=True)
    rows = []
    for (way, name), times in seconds.items():
        task, area_mm2 = WAYS[way]
        side = OURS if name.startswith(deepr) else PEER
        rows.append(time_row("refocusing", task, name, side, times, 1 / area_mm2, threads=threads, unit="s/mm2"))
    return rows


def refocus_frame(way, build, *settings):
    """Refocus once, in the process of one network, which is built at the first call."""
    prepare_ways(build, *settings)[way]()


@functools.cache
def prepare_ways(build, *settings):
    """Build a network; give the functions that refocus noise with it, by way."""
    network, own = build(*settings)
    # TensorFlow, which it brings, is to be set up before.
    from deepr.networks.inference import refocus, refocus_stack

    frame = np.random.default_rng(0).integers(100, 4000, (CAMERA_PX, CAMERA_PX)).astype(np.uint16)
    side = CAMERA_PX // PATCH_PX
    patches = frame.reshape(side, PATCH_PX, side, PATCH_PX).swapaxes(1, 2).reshape(-1, PATCH_PX, PATCH_PX)
    return {
        "patches": lambda: refocus_stack(patches, network),
        "frame": lambda: refocus(frame, network),
        "one": lambda: refocus(patches[0], network),
        "own": lambda: own(frame),
    }


def build_deepr(threads, base_channels, precision):
    """Build Deep-R's generator, to compute in a precision."""
    from deepr.networks.generator import build_generator
    from deepr.networks.precision import with_precision
    from deepr.networks.reproducibility import fix_threads

    fix_threads(threads)
    return with_precision(build_generator(base_channels, seed=0), precision), None


def build_care(threads):
    """Build CARE; give its network, and the function by which csbdeep itself applies it."""
    care_network.set_up(threads)
    model = care_network.build()

    def predict(image):
        # csbdeep draws a bar of its progress.
        with contextlib.redirect_stderr(io.StringIO()):
            return model.predict(image, "YX")

    return model.keras_model, predict


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base-channels", type=int, nargs="+", default=[8])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=10)
    arguments = parser.parse_args()
    for base_channels in arguments.base_channels:
        show(measure(arguments.repeats, arguments.threads, base_channels))


if __name__ == "__main__":
    main()
