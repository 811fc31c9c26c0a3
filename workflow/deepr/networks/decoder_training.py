"""Training the defocus decoder on uniformly defocused images; the Deep-R network it reads stays as it is."""

import hashlib
import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from deepr.networks.checkpoints import Checkpoint
from deepr.networks.decoder import build_decoder, build_features, measure_features
from deepr.networks.generator import load_generator, weights_hash
from deepr.networks.loop import run_training
from deepr.networks.optimizers import build_optimizer
from deepr.networks.training import set_up_training, training_identity
from deepr.networks.virtual_pairs import DPM_UNIT_UM
from deepr.randomness import random_generator
from deepr.runtime import write_atomically
from deepr.tables import InputError, read_table, write_json, write_table

# Crops over which the features' means and variances are taken
FEATURE_IMAGES = 60
HISTORY_COLUMNS = ("iteration", "seconds", "squared_error", "learning_rate", "validation_squared_error", "best")


def train_decoder(
    training_pairs, validation_pairs, generator_path, folder, settings, seed, description=None, code=None
):
    """Train a decoder and write its folder; after an interruption, go on from the last checkpoint.

    Parameters
    ----------
    training_pairs, validation_pairs : deepr.networks.virtual_pairs.DefocusPairs
        Samplers of the two splits, with the same crop, the first one augmenting.
    generator_path : str or Path
        The trained Deep-R network that is read.
    folder : str or Path
        Gets ``decoder.keras`` (the weights with the smallest squared error on the validation pairs),
        ``history.tsv`` and ``config.json``; while training, ``checkpoint``.
    settings : dict
        The config's section ``training``, with what its section ``decoder`` says instead: iterations,
        batches_per_iteration, learning_rate, learning_rate_schedule, warmup_fraction, gradient_norm,
        batch_size, validation_interval, validation_pairs, checkpoint_interval and threads.
    seed : int
        Seed of the initial weights.
    description : dict
        Put into ``config.json`` as it is.
    code : str, optional
        Hash of the code that trains (`deepr.provenance`); a training that was stopped under another one starts afresh.

    Returns
    -------
    dict
        What ``config.json`` says.

    Raises
    ------
    InputError
        If the generator takes other images than the pairs'.
    RuntimeError, FloatingPointError
        As `deepr.networks.training.train_network`.

    Notes
    -----
    The result is the same to the last bit however often the training was stopped. The paper's loss is the
    sum of squared errors over the pixels; here their mean, which is the same to Adam but for the scale.
    """
    settings, folder = dict(settings), Path(folder)
    set_up_training(settings["threads"])
    generator = load_generator(generator_path)
    if generator.input_shape[-1] != training_pairs.image_channels:
        raise InputError(
            f"{generator_path}: takes images of {generator.input_shape[-1]} channels, the data have "
            f"{training_pairs.image_channels}; wanted a network trained on such images"
        )
    statistics = measure_features(
        build_features(generator), training_pairs.validation_set(FEATURE_IMAGES)[0], settings["batch_size"]
    )
    identity = training_identity(settings, seed, training_pairs, validation_pairs, code) | {
        "generator": weights_hash(generator),
        "features": hashlib.sha256(np.concatenate(statistics, axis=None).tobytes()).hexdigest(),
    }
    validation = validation_pairs.validation_set(settings["validation_pairs"])
    networks = Decoding(settings, generator, statistics, seed)
    checkpoint = Checkpoint(folder / "checkpoint" / "training", identity, HISTORY_COLUMNS)
    best = run_training(
        networks, training_pairs, validation, settings, checkpoint, HISTORY_COLUMNS, "validation_squared_error"
    )
    networks.model.set_weights(best["weights"])
    config = {
        "network": description or {},
        "settings": settings,
        "seed": seed,
        "generator": str(generator_path),
        "generator_sha256": identity["generator"],
        "dpm_unit_um": DPM_UNIT_UM,
        "training": training_pairs.describe(),
        "validation": {**validation_pairs.describe(), "pairs_looked_at": len(validation[0])},
        "best_iteration": best["iteration"],
        "best_validation_squared_error": best["score"],
        # What a map of zeros would score on the same pairs
        "zero_validation_squared_error": float(np.mean(np.square(validation[1]))),
        "decoder_parameters": networks.model.count_params(),
        "seconds": best["seconds"],
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    with write_atomically(folder / "decoder.keras") as temporary:
        networks.model.save(temporary)
    write_table(read_table(checkpoint.history_path), folder / "history.tsv")
    write_json(config, folder / "config.json")
    shutil.rmtree(folder / "checkpoint")
    return config


class Decoding:
    """A decoder, the frozen features that it reads, its optimiser and its step.

    Parameters
    ----------
    plan : dict
        See `train_decoder`.
    generator : keras.Model
    statistics : list of (ndarray, ndarray)
        Means and variances of the features, from `deepr.networks.decoder.measure_features`.
    seed : int

    Attributes
    ----------
    model : keras.Model
        The decoder.
    features : keras.Model
        The frozen half of the generator.
    learning_rate : float
    """

    def __init__(self, plan, generator, statistics, seed):
        self._plan = plan
        self.features = build_features(generator)
        self.model = build_decoder(self.features, statistics, int(random_generator(seed, "decoder").integers(2**31)))
        self._optimizer = build_optimizer(self.model, plan["gradient_norm"])
        self.set_learning_rates(1.0)
        self._step = tf.function(self._update, jit_compile=False)
        self._measure = tf.function(self._error, jit_compile=False)

    def set_learning_rates(self, factor):
        """Train with this share of the plan's learning rate from now on."""
        self.learning_rate = factor * self._plan["learning_rate"]
        self._optimizer.learning_rate.assign(self.learning_rate)

    def train_on_batch(self, inputs, dpms):
        """Update the decoder with one batch and give squared_error, of the DPM in units of 10 um, as a dict."""
        return {"squared_error": float(self._step(inputs, dpms))}

    def validate(self, inputs, dpms):
        """Give validation_squared_error as a dict."""
        size, total = self._plan["batch_size"], 0.0
        for first in range(0, len(inputs), size):
            batch = inputs[first : first + size], dpms[first : first + size]
            total += len(batch[0]) * float(self._measure(*batch))
        return {"validation_squared_error": total / len(inputs)}

    def variables(self):
        """Give every variable's value: decoder and optimiser, in groups of arrays."""
        return {name: [variable.numpy() for variable in group] for name, group in self._groups().items()}

    def restore(self, arrays):
        """Set every variable to what `variables` gave."""
        for name, group in self._groups().items():
            for variable, value in zip(group, arrays[name], strict=True):
                variable.assign(value)

    def _groups(self):
        return {
            "decoder": [variable.value for variable in self.model.trainable_variables],
            "optimizer": [variable.value for variable in self._optimizer.variables],
        }

    def _update(self, inputs, dpms):
        # Outside the tape: nothing flows back into the frozen network.
        features = self.features(inputs, training=False)
        weights = [variable.value for variable in self.model.trainable_variables]
        with tf.GradientTape() as tape:
            loss = ops.mean(ops.square(self.model(features, training=True) - dpms))
        self._optimizer.apply(tape.gradient(loss, weights))
        return loss

    def _error(self, inputs, dpms):
        maps = self.model(self.features(inputs, training=False), training=False)
        return ops.mean(ops.square(maps - dpms))
