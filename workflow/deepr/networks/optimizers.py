"""How weights are updated: Adam, its learning rate over a training, and its largest gradient."""

import math

import keras


def build_optimizer(model, gradient_norm):
    """Give Adam for a model's weights, with a limit on the length of the gradient.

    Parameters
    ----------
    model : keras.Model
    gradient_norm : float
        Longer gradients, over all weights together, are shortened to this norm; 0 for no limit.

    Returns
    -------
    keras.optimizers.Adam
        Built; its learning rate has to be set.
    """
    optimizer = keras.optimizers.Adam(global_clipnorm=gradient_norm or None)
    optimizer.build(model.trainable_variables)
    return optimizer


def learning_rate_factor(schedule, warmup_fraction, iteration, iterations):
    """Give the share of the learning rates that an iteration trains with.

    Parameters
    ----------
    schedule : str
        The paper's rates are "constant"; "cosine" lets them fall to zero along half a cosine, which gets
        more out of the few hundred iterations of a demonstration.
    warmup_fraction : float
        Share of the training over which the rates rise from zero, in proportion; 0 for none.
    iteration : int
        From 0.
    iterations : int
        Length of the training.

    Returns
    -------
    float
    """
    rising = min(1.0, (iteration + 1) / (warmup_fraction * iterations)) if warmup_fraction else 1.0
    if schedule == "constant":
        return rising
    if schedule == "cosine":
        return rising * 0.5 * (1 + math.cos(math.pi * iteration / iterations))
    raise ValueError(f"learning_rate_schedule must be constant or cosine, not {schedule!r}")
