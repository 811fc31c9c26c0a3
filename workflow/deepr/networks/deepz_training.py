"""Training Deep-Z, the network that is told how far to propagate an image."""

import shutil
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from deepr.networks.checkpoints import Checkpoint
from deepr.networks.discriminator import build_discriminator
from deepr.networks.generator import build_generator
from deepr.networks.loop import run_training
from deepr.networks.optimizers import build_optimizer
from deepr.networks.precision import available_precision, with_precision
from deepr.networks.training import set_up_training, training_identity
from deepr.networks.virtual_pairs import DPM_UNIT_UM
from deepr.randomness import random_generator
from deepr.runtime import write_atomically
from deepr.tables import InputError, read_table, write_json, write_table

HISTORY_COLUMNS = (
    "iteration",
    "seconds",
    "generator_loss",
    "adversarial",
    "mae",
    "discriminator_loss",
    "discriminator_real",
    "discriminator_fake",
    "learning_rate",
    "validation_mae",
    "best",
)


def train_deepz(training_pairs, validation_pairs, folder, settings, seed, description=None, code=None):
    """Train Deep-Z and write its folder; after an interruption, go on from the last checkpoint.

    Parameters
    ----------
    training_pairs, validation_pairs : deepr.networks.virtual_pairs.PropagationPairs
        Samplers of the two splits, with the same crop, the first one augmenting.
    folder : str or Path
        Gets the files that `deepr.networks.training.train_network` writes for Deep-R, the best weights
        being those of the smallest mean absolute error on the validation pairs.
    settings : dict
        The config's section ``training``, with what its section ``deepz`` says instead: base_channels,
        discriminator_channels, iterations, batches_per_iteration, generator_updates_per_batch,
        discriminator_updates_per_batch, generator_learning_rate, discriminator_learning_rate,
        learning_rate_schedule, warmup_fraction, gradient_norm, mae_weight, validation_interval,
        validation_pairs, checkpoint_interval, threads and precision.
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
        If the images are in colour.
    RuntimeError, FloatingPointError
        As `deepr.networks.training.train_network`.

    Notes
    -----
    The result is the same to the last bit however often the training was stopped, on one kind of processor; precision
    is treated as for Deep-R.

    References
    ----------
    Wu et al., Nat. Methods 16, 1323 (2019), doi:10.1038/s41592-019-0622-5.
    """
    folder = Path(folder)
    set_up_training(settings["threads"])
    settings = settings | {"precision": available_precision(settings["precision"])}
    if training_pairs.image_channels != 1:
        raise InputError(f"the images have {training_pairs.image_channels} channels; Deep-Z is trained on grey images")
    identity = training_identity(settings, seed, training_pairs, validation_pairs, code)
    validation = validation_pairs.validation_set(settings["validation_pairs"])
    networks = Propagation(settings, seed)
    checkpoint = Checkpoint(folder / "checkpoint" / "training", identity, HISTORY_COLUMNS)
    best = run_training(
        networks, training_pairs, validation, settings, checkpoint, HISTORY_COLUMNS, criterion="validation_mae"
    )
    networks.model.set_weights(best["weights"])
    updates = settings["batches_per_iteration"] * settings["generator_updates_per_batch"]
    config = {
        "network": description or {},
        "settings": settings,
        "seed": seed,
        "dpm_unit_um": DPM_UNIT_UM,
        "training": training_pairs.describe(),
        "validation": {**validation_pairs.describe(), "pairs_looked_at": len(validation[0])},
        "best_iteration": best["iteration"],
        "best_validation_mae": best["score"],
        # What giving back the input unchanged would score on the same pairs
        "input_validation_mae": float(np.mean(np.abs(validation[0][..., :1] - validation[1]))),
        "generator_updates": settings["iterations"] * updates,
        "generator_parameters": networks.model.count_params(),
        "discriminator_parameters": networks.discriminator.count_params(),
        "seconds": best["seconds"],
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
    }
    for model in (networks.discriminator, with_precision(networks.model, "float32")):
        with write_atomically(folder / f"{model.name}.keras") as temporary:
            model.save(temporary)
    write_table(read_table(checkpoint.history_path), folder / "history.tsv")
    write_json(config, folder / "config.json")
    shutil.rmtree(folder / "checkpoint")
    return config


def propagation_loss(targets, outputs, judgement, mae_weight):
    """Loss of Deep-Z's generator: least-squares adversarial term and mean absolute error.

    Parameters
    ----------
    targets, outputs : (B, Y, X, 1) tensor
        Normalised units.
    judgement : (B, 1) tensor
        The discriminator's probability that `outputs` are microscope images.
    mae_weight : float

    Returns
    -------
    dict
        Scalar tensors: total = adversarial + mae_weight x mae, and the two before weighting,
        adversarial 0.5 (1 - D(G))^2 and mae.
    """
    adversarial = 0.5 * ops.mean(ops.square(1 - judgement))
    mae = ops.mean(ops.abs(outputs - targets))
    return {"total": adversarial + mae_weight * mae, "adversarial": adversarial, "mae": mae}


def judgement_loss(judgement_of_output, judgement_of_target):
    """Loss of Deep-Z's discriminator, 0.5 D(G)^2 + 0.5 (1 - D(z))^2, a scalar tensor."""
    return 0.5 * (ops.mean(ops.square(judgement_of_output)) + ops.mean(ops.square(1 - judgement_of_target)))


class Propagation:
    """Deep-Z's generator and discriminator, their optimisers and the step that updates both.

    Parameters
    ----------
    plan : dict
        See `train_deepz`.
    seed : int

    Attributes
    ----------
    model : keras.Model
        The generator, (B, Y, X, 2) to (B, Y, X, 1).
    discriminator : keras.Model
    learning_rate : float
        The generator's, at present.
    """

    def __init__(self, plan, seed):
        self._plan = plan
        seeds = {name: int(random_generator(seed, name).integers(2**31)) for name in ("generator", "discriminator")}
        self.model = with_precision(
            build_generator(plan["base_channels"], 2, output_channels=1, seed=seeds["generator"]), plan["precision"]
        )
        self.discriminator = build_discriminator(plan["discriminator_channels"], 1, seed=seeds["discriminator"])
        self._optimizers = {
            model.name: build_optimizer(model, plan["gradient_norm"]) for model in (self.model, self.discriminator)
        }
        self.set_learning_rates(1.0)
        self._step = tf.function(self._update_both, jit_compile=False)
        self._measure = tf.function(self._error, jit_compile=False)

    def set_learning_rates(self, factor):
        """Train with this share of the plan's learning rates from now on."""
        for name, optimizer in self._optimizers.items():
            optimizer.learning_rate.assign(factor * self._plan[f"{name}_learning_rate"])
        self.learning_rate = factor * self._plan["generator_learning_rate"]

    def train_on_batch(self, inputs, targets):
        """Update both networks with one batch and give the losses, a dict of float, means over the updates."""
        generated, judged = self._step(inputs, targets)
        parts = {name: float(np.mean(values)) for name, values in generated.items()}
        # Added here: within the compiled graph the order of the terms, and so the last digit, is left to chance.
        total = parts["adversarial"] + self._plan["mae_weight"] * parts["mae"]
        return {"generator_loss": total, **parts, **{name: float(value) for name, value in judged.items()}}

    def validate(self, inputs, targets):
        """Give validation_mae, the mean absolute error in deviations, as a dict."""
        size, total = self._plan["batch_size"], 0.0
        for first in range(0, len(inputs), size):
            batch = inputs[first : first + size], targets[first : first + size]
            total += len(batch[0]) * float(self._measure(*batch))
        return {"validation_mae": total / len(inputs)}

    def variables(self):
        """Give every variable's value: networks and optimisers, in groups of arrays."""
        return {name: [variable.numpy() for variable in group] for name, group in self._groups().items()}

    def restore(self, arrays):
        """Set every variable to what `variables` gave."""
        for name, group in self._groups().items():
            for variable, value in zip(group, arrays[name], strict=True):
                variable.assign(value)

    def _groups(self):
        groups = {model.name: _weights(model) for model in (self.model, self.discriminator)}
        for name, optimizer in self._optimizers.items():
            groups[f"{name}_optimizer"] = [variable.value for variable in optimizer.variables]
        return groups

    def _update_both(self, inputs, targets):
        """Update the discriminator on the generator's first outputs, then the generator; as for Deep-R."""
        generated, judged = [], {}
        for update in range(self._plan["generator_updates_per_batch"]):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(_weights(self.model))
                outputs = self.model(inputs, training=True)
                if update == 0:
                    with tape.stop_recording():
                        for _ in range(self._plan["discriminator_updates_per_batch"]):
                            judged = self._update_discriminator(outputs, targets)
                parts = propagation_loss(targets, outputs, self.discriminator(outputs), self._plan["mae_weight"])
            self._apply(self.model, tape, parts["total"])
            generated.append(parts)
        return {name: tf.stack([parts[name] for parts in generated]) for name in parts if name != "total"}, judged

    def _update_discriminator(self, outputs, targets):
        count = targets.shape[0]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(_weights(self.discriminator))
            judgements = self.discriminator(tf.concat([outputs, targets], axis=0), training=True)
            loss = judgement_loss(judgements[:count], judgements[count:])
        self._apply(self.discriminator, tape, loss)
        return {
            "discriminator_loss": loss,
            "discriminator_real": ops.mean(judgements[count:]),
            "discriminator_fake": ops.mean(judgements[:count]),
        }

    def _apply(self, model, tape, loss):
        self._optimizers[model.name].apply(tape.gradient(loss, _weights(model)))

    def _error(self, inputs, targets):
        return ops.mean(ops.abs(self.model(inputs, training=False) - targets))


def _weights(model):
    return [variable.value for variable in model.trainable_variables]
