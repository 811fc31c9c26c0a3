"""Learning rates over a training, and gradients that are shortened."""

import keras
import numpy as np
import pytest
from deepr.networks.optimizers import build_optimizer, learning_rate_factor


def test_the_cosine_falls_from_one_to_almost_nothing():
    """The paper's rate stays as it is."""
    assert [learning_rate_factor("cosine", 0, iteration, 100) for iteration in (0, 50)] == pytest.approx([1, 0.5])
    assert learning_rate_factor("cosine", 0, 99, 100) < 1e-3
    assert learning_rate_factor("constant", 0, 99, 100) == 1
    with pytest.raises(ValueError, match="learning_rate_schedule"):
        learning_rate_factor("step", 0, 0, 100)


def test_rates_rise_over_the_share_that_is_named():
    """A tenth of 100 iterations: a tenth of the rate at first, the whole at the tenth and after it."""
    factors = [learning_rate_factor("constant", 0.1, iteration, 100) for iteration in range(100)]
    assert factors[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert set(factors[10:]) == {1.0}


def test_a_warm_up_shorter_than_an_iteration_leaves_the_rate_as_it_is():
    """Trainings of a few iterations are not slowed down."""
    assert learning_rate_factor("constant", 0.06, 0, 8) == 1


@pytest.mark.parametrize(("limit", "expected"), [(1.0, [0.6, 0.8]), (0, [3.0, 4.0]), (10.0, [3.0, 4.0])])
def test_long_gradients_are_shortened_to_the_norm(limit, expected):
    """Over all weights together, with their direction; 0 is no limit, and short ones stay as they are."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    optimizer = build_optimizer(model, limit)
    optimizer.learning_rate.assign(0.0)
    gradients = [np.array([[3.0]], np.float32), np.array([4.0], np.float32)]
    optimizer.apply([keras.ops.convert_to_tensor(gradient) for gradient in gradients])
    # Adam's first momentum is a tenth of the first gradient.
    momentum = [10 * np.ravel(value)[0] for value in map(np.asarray, optimizer._momentums)]
    assert momentum == pytest.approx(expected, rel=1e-5)
