"""Generator and discriminator as they train against each other: one compiled step per batch."""

import numpy as np
import tensorflow as tf

from deepr.networks import losses
from deepr.networks.discriminator import build_discriminator
from deepr.networks.generator import build_generator
from deepr.networks.optimizers import build_optimizer
from deepr.networks.precision import with_precision


class Adversaries:
    """Two networks, their optimisers and the step that updates both.

    Parameters
    ----------
    plan : dict
        Settings of the training, see `deepr.networks.training.train_network`.
    image_channels : int
    seeds : dict
        Seeds of the initial weights, keys generator and discriminator.

    Attributes
    ----------
    generator : keras.Model
        Computes in the plan's precision; its weights are float32.
    discriminator : keras.Model
        Float32: the differences that it judges are smaller than bfloat16 resolves.
    """

    def __init__(self, plan, image_channels, seeds):
        self._plan = plan
        self.generator = with_precision(
            build_generator(plan["base_channels"], image_channels, seed=seeds["generator"]), plan["precision"]
        )
        self.discriminator = build_discriminator(
            plan["discriminator_channels"], image_channels, seed=seeds["discriminator"]
        )
        self._optimizers = {
            model.name: build_optimizer(model, plan["gradient_norm"]) for model in (self.generator, self.discriminator)
        }
        self.set_learning_rates(1.0)
        # XLA's convolutions on a CPU take three times as long as the plain graph's.
        self._step = tf.function(self._update_both, jit_compile=False)
        self._measure = tf.function(self._validation_losses, jit_compile=False)

    def set_learning_rates(self, factor):
        """Train with this share of the plan's learning rates from now on."""
        for name, optimizer in self._optimizers.items():
            optimizer.learning_rate.assign(factor * self._plan[f"{name}_learning_rate"])

    def train_on_batch(self, inputs, truths):
        """Update both networks with one batch.

        Parameters
        ----------
        inputs, truths : (B, Y, X, C) ndarray of float32

        Returns
        -------
        dict of float
            generator_loss and its parts before weighting, means over the updates; discriminator_loss,
            discriminator_real and discriminator_fake.
        """
        generated, judged = self._step(inputs, truths)
        parts = {name: float(np.mean(values)) for name, values in generated.items()}
        # Added here: within the compiled graph the order of the terms, and so the last digit, is left to chance.
        total = sum(self._plan["loss_weights"][name] * value for name, value in parts.items())
        if "ms_ssim" in parts:
            parts["ms_ssim_loss"] = parts.pop("ms_ssim")
        return {"generator_loss": total, **parts, **{name: float(value) for name, value in judged.items()}}

    def validate(self, inputs, truths):
        """Give the losses by which the best weights are chosen.

        Parameters
        ----------
        inputs, truths : (N, Y, X, C) ndarray of float32

        Returns
        -------
        dict of float
            validation_berhu and validation_ms_ssim_loss, means over the pairs.
        """
        size = self._plan["batch_size"]
        sums = np.zeros(2)
        for first in range(0, len(inputs), size):
            values = self._measure(inputs[first : first + size], truths[first : first + size])
            sums += len(inputs[first : first + size]) * np.array([float(value) for value in values])
        berhu, ms_ssim_loss = (sums / len(inputs)).tolist()
        return {"validation_berhu": berhu, "validation_ms_ssim_loss": ms_ssim_loss}

    def variables(self):
        """Give every variable's value: networks and optimisers, in groups of arrays."""
        return {name: [variable.numpy() for variable in group] for name, group in self._groups().items()}

    def restore(self, arrays):
        """Set every variable to what `variables` gave."""
        for name, group in self._groups().items():
            for variable, value in zip(group, arrays[name], strict=True):
                variable.assign(value)

    def _groups(self):
        groups = {model.name: _weights(model) for model in (self.generator, self.discriminator)}
        for name, optimizer in self._optimizers.items():
            groups[f"{name}_optimizer"] = [variable.value for variable in optimizer.variables]
        return groups

    def _update_both(self, inputs, truths):
        """1. Run the generator. 2. Update the discriminator on its outputs. 3. Update the generator.

        The discriminator's updates come before the generator's, of which there are more: so its outputs
        serve both, and the networks run no more often than they must. The paper leaves the order open.
        """
        weights = self._plan["loss_weights"]
        generated = []
        judged = {}
        for update in range(self._plan["generator_updates_per_batch"]):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(_weights(self.generator))
                outputs = self.generator(inputs, training=True)
                if update == 0:
                    with tape.stop_recording():
                        for _ in range(self._plan["discriminator_updates_per_batch"]):
                            judged = self._update_discriminator(outputs, truths)
                judgement = self.discriminator(outputs) if weights["adversarial"] else None
                parts = losses.generator_loss(truths, outputs, judgement, weights, self._plan["berhu_threshold"])
            self._apply(self.generator, tape, parts["total"])
            generated.append(parts)
        return {name: tf.stack([parts[name] for parts in generated]) for name in parts if name != "total"}, judged

    def _update_discriminator(self, outputs, truths):
        count = truths.shape[0]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(_weights(self.discriminator))
            judgements = self.discriminator(tf.concat([outputs, truths], axis=0), training=True)
            parts = losses.discriminator_loss(judgements[:count], judgements[count:])
        self._apply(self.discriminator, tape, parts["total"])
        return {"discriminator_loss": parts.pop("total"), **parts}

    def _apply(self, model, tape, loss):
        self._optimizers[model.name].apply(tape.gradient(loss, _weights(model)))

    def _validation_losses(self, inputs, truths):
        outputs = self.generator(inputs, training=False)
        berhu = losses.berhu(truths, outputs, self._plan["berhu_threshold"])
        return berhu, 1 - tf.reduce_mean(losses.ms_ssim(truths, outputs))


def _weights(model):
    return [variable.value for variable in model.trainable_variables]
