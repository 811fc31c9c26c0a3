"""Train one of the demonstration's networks much longer, on a GPU, to see which claims fail for want of training alone.

Run as ``KERAS_BACKEND=jax python benchmarks/experiments/gpu_training.py --network beads_5``, with ``workflow`` on the
PYTHONPATH, after the run. Data, losses, networks, optimisers and seed are those of the workflow's training; the steps
are compiled by JAX, whose products on a GPU are in TF32, and are not resumed. Writes the generator, which loads where
one of the workflow's own would, a history of the validations and a record, and prints how many operations per second
the GPU sustained. Two trainings share a GPU with ``XLA_PYTHON_CLIENT_PREALLOCATE=false``.
"""

import argparse
import json
import math
import time
from pathlib import Path

import jax
import keras
import numpy as np
import pandas as pd
from deepr.networks import losses
from deepr.networks.discriminator import build_discriminator
from deepr.networks.generator import build_generator, load_generator
from deepr.networks.operations import operations_of_training
from deepr.networks.optimizers import build_optimizer, learning_rate_factor
from deepr.networks.pairs import PairSampler
from deepr.randomness import random_generator
from deepr.runtime import progress
from deepr.slides import open_slide
from deepr.tables import read_table, write_json, write_table

COMPILED_BATCHES = 3
PROBED_BATCHES = 30
VALIDATIONS = 100
LEARNING_RATE = "learning_rate"


def samplers(results, datasets, range_um, settings, seed):
    """Give the sampler of training pairs and that of validation pairs."""
    manifest = pd.concat([read_table(results / dataset / "manifest.tsv") for dataset in datasets], ignore_index=True)
    paths = [path for dataset in datasets for path in (results / dataset / "aligned").glob("training*.ome.tif")]
    slides = {(path.parts[-3], path.name.removesuffix(".ome.tif")): open_slide(path) for path in paths}
    return [
        PairSampler(
            patches=manifest[manifest["split"] == split],
            slides=slides,
            range_um=range_um,
            crop_px=settings["crop_px"],
            batch_size=settings["batch_size"],
            seed=seed,
            augment=split == "train",
        )
        for split in ("train", "validation")
    ]


class Updates:
    """The two networks' updates on one batch, compiled; see `deepr.networks.adversaries.Adversaries`."""

    def __init__(self, settings, image_channels, seed, start_from=None):
        seeds = {name: int(random_generator(seed, name).integers(2**31)) for name in ("generator", "discriminator")}
        self.settings = settings
        self.models = {
            "generator": build_generator(settings["base_channels"], image_channels, seed=seeds["generator"]),
            "discriminator": build_discriminator(
                settings["discriminator_channels"], image_channels, seed=seeds["discriminator"]
            ),
        }
        if start_from is not None:
            self.models["generator"].set_weights(load_generator(start_from).get_weights())
        self._optimizers = {
            name: build_optimizer(model, settings["gradient_norm"]) for name, model in self.models.items()
        }
        self.start()
        self._rate_at = {
            name: [variable.name for variable in optimizer.variables].index(LEARNING_RATE)
            for name, optimizer in self._optimizers.items()
        }
        self._step = jax.jit(self._update_both, donate_argnums=0)
        self._measure = jax.jit(self._validation_losses)

    def start(self):
        """Set everything to where it was in the beginning."""
        self.state = {
            name: {
                "weights": [jax.numpy.array(variable.value) for variable in model.trainable_variables],
                "optimizer": [jax.numpy.array(variable.value) for variable in self._optimizers[name].variables],
            }
            for name, model in self.models.items()
        }

    def train_on_batch(self, inputs, truths, factor):
        """Update both networks; give the losses, on the GPU still."""
        self.state, parts = self._step(self.state, inputs, truths, factor)
        return parts

    def validate(self, inputs, truths, batch_size):
        """Give the mean BerHu and MS-SSIM losses over the pairs."""
        sums = np.zeros(2)
        for first in range(0, len(inputs), batch_size):
            batch = slice(first, first + batch_size)
            values = self._measure(self.state["generator"]["weights"], inputs[batch], truths[batch])
            sums += len(inputs[batch]) * np.array([float(value) for value in values])
        return (sums / len(inputs)).tolist()

    def _run(self, name, weights, images):
        # Neither network computes otherwise in training, and neither has variables that are not trained.
        return self.models[name].stateless_call(weights, [], images)[0]

    def _apply(self, name, state, gradients, factor):
        variables = list(state["optimizer"])
        variables[self._rate_at[name]] = factor * self.settings[f"{name}_learning_rate"]
        weights, variables = self._optimizers[name].stateless_apply(variables, gradients, state["weights"])
        return {"weights": weights, "optimizer": variables}

    def _update_both(self, state, inputs, truths, factor):
        generator, discriminator = state["generator"], state["discriminator"]

        def judge(weights, outputs):
            judgements = self._run("discriminator", weights, keras.ops.concatenate([outputs, truths]))
            parts = losses.discriminator_loss(judgements[: len(truths)], judgements[len(truths) :])
            return parts["total"], parts

        def generate(weights, judge_weights):
            outputs = self._run("generator", weights, inputs)
            judgement = self._run("discriminator", judge_weights, outputs)
            parts = losses.generator_loss(
                truths, outputs, judgement, self.settings["loss_weights"], self.settings["berhu_threshold"]
            )
            return parts["total"], parts

        judged = {}
        for update in range(self.settings["generator_updates_per_batch"]):
            if update == 0:
                outputs = self._run("generator", generator["weights"], inputs)
                for _ in range(self.settings["discriminator_updates_per_batch"]):
                    gradients, judged = jax.grad(judge, has_aux=True)(discriminator["weights"], outputs)
                    discriminator = self._apply("discriminator", discriminator, gradients, factor)
            gradients, parts = jax.grad(generate, has_aux=True)(generator["weights"], discriminator["weights"])
            generator = self._apply("generator", generator, gradients, factor)
        names = {"ms_ssim": "ms_ssim_loss", "total": "generator_loss"}
        parts = {names.get(name, name): value for name, value in parts.items()}
        judged = {"discriminator_loss" if name == "total" else name: value for name, value in judged.items()}
        return {"generator": generator, "discriminator": discriminator}, {**parts, **judged}

    def _validation_losses(self, weights, inputs, truths):
        outputs = self._run("generator", weights, inputs)
        berhu = losses.berhu(truths, outputs, self.settings["berhu_threshold"])
        return berhu, 1 - keras.ops.mean(losses.ms_ssim(truths, outputs))


def iterations_within(updates, pairs, seconds):
    """Tell how many iterations take so long, from some batches; the first, which compile, do not count."""
    for _ in range(COMPILED_BATCHES):
        updates.train_on_batch(*pairs.batch(0), 0.0)
    batches = list(pairs.batches(0, PROBED_BATCHES))
    jax.block_until_ready(updates.state)
    started = time.perf_counter()
    for batch in batches:
        updates.train_on_batch(*batch, 0.0)
    jax.block_until_ready(updates.state)
    one = (time.perf_counter() - started) / PROBED_BATCHES
    updates.start()
    return max(1, int(seconds / one / updates.settings["batches_per_iteration"]))


def train(updates, training_pairs, validation_pairs, iterations):
    """Train; give the history of the validations, the best weights and the seconds that it took."""
    settings = updates.settings
    validation = validation_pairs.validation_set(settings["validation_pairs"])
    per_iteration = settings["batches_per_iteration"]
    batches = training_pairs.batches(0, iterations * per_iteration)
    updates.validate(*validation, settings["batch_size"])
    rows, best, started = [], {"berhu": math.inf, "iteration": None}, time.perf_counter()
    for iteration in progress(range(iterations), desc="training"):
        factor = learning_rate_factor(
            settings["learning_rate_schedule"], settings["warmup_fraction"], iteration, iterations
        )
        for _ in range(per_iteration):
            parts = updates.train_on_batch(*next(batches), factor)
        number = iteration + 1
        if number % settings["validation_interval"] == 0 or number == iterations:
            berhu, ms_ssim_loss = updates.validate(*validation, settings["batch_size"])
            if berhu < best["berhu"]:
                weights = [np.asarray(weight) for weight in updates.state["generator"]["weights"]]
                best = {"berhu": berhu, "iteration": number, "weights": weights}
            row = {"iteration": number, "seconds": time.perf_counter() - started, "validation_berhu": berhu}
            row |= {"validation_ms_ssim_loss": ms_ssim_loss, "best": best["iteration"] == number}
            rows.append(row | {name: float(value) for name, value in parts.items()})
    if best["iteration"] is None:
        raise FloatingPointError("no validation gave a finite BerHu loss; wanted a smaller learning rate")
    return pd.DataFrame(rows), best, time.perf_counter() - started


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--network", required=True)
    parser.add_argument("--seconds", type=float, default=240, help="length of the training, without compiling")
    parser.add_argument("--crop-px", type=int, default=256)
    parser.add_argument("--batch-size", type=int, default=20)
    parser.add_argument("--base-channels", type=int, help="width of the generator; the run's if not given")
    parser.add_argument("--discriminator-channels", type=int, help="width of the discriminator; the run's if not given")
    parser.add_argument("--from-scratch", action="store_true", help="whatever network the run's training started from")
    parser.add_argument("--output", type=Path, default=Path("results/benchmarks/gpu_training"))
    arguments = parser.parse_args()

    if not any(device.startswith("gpu") for device in keras.distribution.list_devices()):
        raise SystemExit(f"{keras.config.backend()} finds no GPU on this machine, wanted one")
    config = json.loads((arguments.results / "networks" / arguments.network / "config.json").read_text())
    network = config["network"]
    if network["kind"] != "deepr":
        raise SystemExit(f"{arguments.network} is of kind {network['kind']}, wanted deepr")
    settings = config["settings"] | {
        "precision": "float32",
        "crop_px": arguments.crop_px,
        "batch_size": arguments.batch_size,
        # What a pilot found is taken over, and not looked for again.
        "pilot_iterations": 0,
        "loss_weights": config["loss_weights"],
    }
    for width in ("base_channels", "discriminator_channels"):
        settings[width] = getattr(arguments, width) or settings[width]
    training_pairs, validation_pairs = samplers(
        arguments.results, network["datasets"], network["range_um"], settings, config["seed"]
    )
    start_from = None if arguments.from_scratch else config["start_from"]
    updates = Updates(settings, training_pairs.image_channels, config["seed"], start_from)
    iterations = iterations_within(updates, training_pairs, arguments.seconds)
    settings |= {"iterations": iterations, "validation_interval": max(1, iterations // VALIDATIONS)}
    history, best, seconds = train(updates, training_pairs, validation_pairs, iterations)

    sustained = operations_of_training("deepr", settings, training_pairs.image_channels) / seconds / 1e12
    folder = arguments.output / arguments.network
    generator = updates.models["generator"]
    for variable, value in zip(generator.trainable_variables, best["weights"], strict=True):
        variable.assign(value)
    folder.mkdir(parents=True, exist_ok=True)
    generator.save(folder / "generator.keras")
    write_table(history, folder / "history.tsv")
    record = {
        "network": network,
        "settings": settings,
        "seed": config["seed"],
        "start_from": start_from,
        "training": training_pairs.describe(),
        "validation": validation_pairs.describe(),
        "best_iteration": best["iteration"],
        "best_validation_berhu": best["berhu"],
        "generator_updates": iterations * settings["batches_per_iteration"] * settings["generator_updates_per_batch"],
        "generator_parameters": generator.count_params(),
        "seconds": seconds,
        "tflops": sustained,
        "device": jax.devices()[0].device_kind,
        "jax": jax.__version__,
        "keras": keras.__version__,
    }
    write_json(record, folder / "config.json")
    print(
        f"{arguments.network}: {iterations} iterations in {seconds:.0f} s, {sustained:.1f} TFLOP/s, smallest "
        f"validation BerHu {best['berhu']:.4f} at iteration {best['iteration']}; in the run "
        f"{config['best_validation_berhu']:.4f}, with crops of {config['settings']['crop_px']} px"
    )


if __name__ == "__main__":
    main()
