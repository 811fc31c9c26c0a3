"""Training a generator against a discriminator, so that a stopped training goes on to the same result."""

import logging
import math
import shutil
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from deepr.networks.adversaries import Adversaries
from deepr.networks.checkpoints import Checkpoint
from deepr.networks.generator import load_generator, weights_hash
from deepr.networks.optimizers import learning_rate_factor
from deepr.networks.precision import available_precision, with_precision
from deepr.networks.reproducibility import fix_threads
from deepr.randomness import random_generator
from deepr.runtime import progress, write_atomically
from deepr.tables import InputError, read_table, write_json, write_table

HISTORY_COLUMNS = (
    "iteration",
    "seconds",
    "generator_loss",
    "adversarial",
    "ms_ssim_loss",
    "berhu",
    "discriminator_loss",
    "discriminator_real",
    "discriminator_fake",
    "learning_rate",
    "validation_berhu",
    "validation_ms_ssim_loss",
    "best",
)
ADVERSARIAL_AT_EQUILIBRIUM = 0.25
PILOT_WEIGHTS = {"adversarial": 0.0, "ms_ssim": 1.0, "berhu": 1.0}
PILOT_END = 0.1

log = logging.getLogger(__name__)


def train_network(
    training_pairs, validation_pairs, folder, settings, seed, start_from=None, description=None, code=None
):
    """Train a network and write its folder; after an interruption, go on from the last checkpoint.

    Parameters
    ----------
    training_pairs, validation_pairs : deepr.networks.pairs.PairSampler
        Samplers of the two splits, with the same crop, the first one augmenting.
    folder : str or Path
        Gets ``generator.keras`` (the weights with the smallest BerHu loss on the validation pairs),
        ``discriminator.keras`` (of the last iteration), ``history.tsv`` (one row per iteration) and
        ``config.json`` (everything that went in and what came out). While training, its subfolder
        ``checkpoint`` holds the state to go on from; it is removed at the end.
    settings : dict
        The config's section ``training``: base_channels, discriminator_channels, iterations,
        batches_per_iteration, generator_updates_per_batch, discriminator_updates_per_batch,
        generator_learning_rate, discriminator_learning_rate, learning_rate_schedule, warmup_fraction,
        gradient_norm, loss_weights, pilot_iterations, berhu_threshold, validation_interval,
        validation_pairs, checkpoint_interval, threads and precision; crop_px and batch_size are the samplers'.
        Where the machine does not compute in that precision, in float32.
    seed : int
        Seed of the initial weights.
    start_from : str or Path, optional
        Another network's ``generator.keras``, whose weights are the generator's first.
    description : dict
        Put into ``config.json`` as it is: the network's name, data sets and whatever else identifies it.
    code : str, optional
        Hash of the code that trains (`deepr.provenance`); a training that was stopped under another one starts afresh.

    Returns
    -------
    dict
        What ``config.json`` says.

    Raises
    ------
    InputError
        If there are no pairs as wanted or `start_from` is another kind of network.
    RuntimeError
        If TensorFlow already computes with another number of threads in this process.
    FloatingPointError
        If a loss is no longer finite.

    Notes
    -----
    The result is the same to the last bit however often the training was stopped: batch k is drawn from
    its own seed, the checkpoint holds every variable, and the number of threads is fixed, for another one
    sums in another order. To that end this switches TensorFlow's operations to their deterministic forms,
    for the whole process. Only the column ``seconds`` differs between runs.

    On another kind of processor the last digits may differ, and where it computes in another precision, with another
    version of TensorFlow or Keras or by other code, a stopped training starts afresh. The losses of the validation are
    those of the network as it is trained; the one that is saved computes in float32.

    A pilot, if the settings ask for one, trains with MS-SSIM and BerHu alone; from the means a and b of
    the two over its last tenth, and 1/4 for a discriminator that cannot tell, the weights become 1/a, 1/b
    and 4, so that the three terms are about equal after convergence, which is all that the paper says.
    Its weights are discarded.
    """
    folder = Path(folder)
    set_up_training(settings["threads"])
    settings = settings | {"precision": available_precision(settings["precision"])}
    if validation_pairs.image_channels != training_pairs.image_channels:
        raise InputError(
            f"the validation images have {validation_pairs.image_channels} channels, those of the training "
            f"{training_pairs.image_channels}; wanted the same"
        )
    start = None if start_from is None else load_generator(start_from)
    identity = training_identity(settings, seed, training_pairs, validation_pairs, code) | {
        "start_from": None if start is None else weights_hash(start)
    }
    validation = validation_pairs.validation_set(settings["validation_pairs"])

    pilot = None
    weights = dict(settings["loss_weights"])
    if settings["pilot_iterations"]:
        plan = {
            **settings,
            "iterations": settings["pilot_iterations"],
            "discriminator_updates_per_batch": 0,
            "loss_weights": PILOT_WEIGHTS,
        }
        checkpoint = Checkpoint(folder / "checkpoint" / "pilot", identity, HISTORY_COLUMNS)
        _run(_adversaries(plan, training_pairs, seed, start), training_pairs, validation, plan, checkpoint)
        weights = pilot_weights(read_table(checkpoint.history_path))
        pilot = {"iterations": plan["iterations"], "loss_weights": weights}
        log.info("the pilot of %d iterations gives the loss weights %s", plan["iterations"], weights)

    plan = {**settings, "loss_weights": weights}
    networks = _adversaries(plan, training_pairs, seed, start)
    checkpoint = Checkpoint(folder / "checkpoint" / "training", identity, HISTORY_COLUMNS)
    best = _run(networks, training_pairs, validation, plan, checkpoint)

    networks.generator.set_weights(best["weights"])
    config = {
        "network": description or {},
        "settings": settings,
        "seed": seed,
        "start_from": None if start_from is None else str(start_from),
        "pilot": pilot,
        "loss_weights": weights,
        "image_channels": training_pairs.image_channels,
        "training": training_pairs.describe(),
        "validation": {**validation_pairs.describe(), "pairs_looked_at": len(validation[0])},
        "best_iteration": best["iteration"],
        "best_validation_berhu": best["berhu"],
        "generator_updates": plan["iterations"] * plan["batches_per_iteration"] * plan["generator_updates_per_batch"],
        "generator_parameters": networks.generator.count_params(),
        "discriminator_parameters": networks.discriminator.count_params(),
        "seconds": best["seconds"],
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    for model in (networks.discriminator, with_precision(networks.generator, "float32")):
        with write_atomically(folder / f"{model.name}.keras") as temporary:
            model.save(temporary)
    write_table(read_table(checkpoint.history_path), folder / "history.tsv")
    write_json(config, folder / "config.json")
    shutil.rmtree(folder / "checkpoint")
    return config


def set_up_training(threads):
    """As `fix_threads`, for a process that trains."""
    fix_threads(threads)
    # This stage of TensorFlow's graph optimiser cannot cope with the discriminator's gradients and would
    # say so at every start. A step is no slower without it; refocusing would be.
    tf.config.optimizer.set_experimental_options({"remapping": False})


def training_identity(settings, seed, training_pairs, validation_pairs, code):
    """Say what a training's result depends on: a checkpoint is one of it only if all of this is the same.

    Parameters
    ----------
    settings : dict
    seed : int
    training_pairs, validation_pairs : PairSampler
    code : str or None

    Returns
    -------
    dict
    """
    return {
        # How often a state is saved does not enter the result.
        "settings": {key: value for key, value in settings.items() if key != "checkpoint_interval"},
        "seed": seed,
        "training pairs": training_pairs.fingerprint(),
        "validation pairs": validation_pairs.fingerprint(),
        "code": code,
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }


def pilot_weights(history):
    """Give the loss weights with which the three terms are equal where a pilot training ended.

    Parameters
    ----------
    history : pandas.DataFrame
        Of the pilot; its last tenth, at least one row, is looked at.

    Returns
    -------
    dict
        Factors adversarial, ms_ssim and berhu.
    """
    end = history.tail(max(1, math.ceil(PILOT_END * len(history))))
    return {
        "adversarial": 1 / ADVERSARIAL_AT_EQUILIBRIUM,
        "ms_ssim": 1 / float(end["ms_ssim_loss"].mean()),
        "berhu": 1 / float(end["berhu"].mean()),
    }


def _adversaries(plan, pairs, seed, start):
    """Build both networks with the initial weights that belong to the seed."""
    seeds = {name: int(random_generator(seed, name).integers(2**31)) for name in ("generator", "discriminator")}
    networks = Adversaries(plan, pairs.image_channels, seeds)
    if start is not None:
        shapes = [weight.shape for weight in start.get_weights()]
        if shapes != [weight.shape for weight in networks.generator.get_weights()]:
            raise InputError(
                f"start_from: a generator with {start.count_params()} parameters was found; wanted one of "
                f"{networks.generator.count_params()}, base_channels {plan['base_channels']} and "
                f"{pairs.image_channels} image channels, like the network to train"
            )
        networks.generator.set_weights(start.get_weights())
    return networks


def _run(networks, pairs, validation, plan, checkpoint):
    """Train for the planned iterations, from the checkpoint if there is one, and give the best weights."""
    arrays, done = checkpoint.load()
    best = {"weights": None, "berhu": math.inf, "iteration": None}
    first, seconds = 0, 0.0
    if arrays is not None:
        networks.restore(arrays)
        first, seconds = done["iteration"], done["seconds"]
        best = {"weights": arrays["best"] or None, "berhu": done["best_berhu"], "iteration": done["best_iteration"]}
        best["berhu"] = math.inf if best["berhu"] is None else best["berhu"]
        log.info("going on after iteration %d of %d", first, plan["iterations"])
    started = time.perf_counter() - seconds
    per_iteration = plan["batches_per_iteration"]
    batches = pairs.batches(first * per_iteration, plan["iterations"] * per_iteration)
    bar = progress(range(first, plan["iterations"]), desc="training")
    for iteration in bar:
        factor = learning_rate_factor(
            plan["learning_rate_schedule"], plan["warmup_fraction"], iteration, plan["iterations"]
        )
        networks.set_learning_rates(factor)
        losses = [networks.train_on_batch(*next(batches)) for _ in range(per_iteration)]
        row = {name: float(np.mean([batch[name] for batch in losses])) for name in losses[0]}
        if not all(math.isfinite(value) for value in row.values()):
            raise FloatingPointError(
                f"a loss is not finite at iteration {iteration + 1}: {row}; wanted a smaller "
                f"generator_learning_rate than {plan['generator_learning_rate']:g}"
            )
        number = iteration + 1
        last = number == plan["iterations"]
        is_best = False
        if number % plan["validation_interval"] == 0 or last:
            row |= networks.validate(*validation)
            is_best = row["validation_berhu"] < best["berhu"]
            if is_best:
                best = {
                    "weights": networks.generator.get_weights(),
                    "berhu": row["validation_berhu"],
                    "iteration": number,
                }
        seconds = time.perf_counter() - started
        row |= {"iteration": number, "seconds": round(seconds, 3), "best": is_best}
        row["learning_rate"] = plan["generator_learning_rate"] * factor
        checkpoint.append({column: row.get(column, math.nan) for column in HISTORY_COLUMNS})
        bar.set_postfix(berhu=f"{row.get('berhu', math.nan):.4f}", best=f"{best['berhu']:.4f}", refresh=False)
        if number % plan["checkpoint_interval"] == 0 or last:
            checkpoint.save(
                {**networks.variables(), "best": best["weights"] or []},
                {
                    "iteration": number,
                    "seconds": seconds,
                    "best_berhu": best["berhu"] if best["weights"] else None,
                    "best_iteration": best["iteration"],
                },
            )
    batches.close()
    checkpoint.close()
    if best["weights"] is None:
        raise FloatingPointError("no validation gave a finite BerHu loss; wanted a smaller learning rate")
    return {**best, "seconds": round(seconds, 3)}
