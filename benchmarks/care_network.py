"""The peer of the networks: CARE of csbdeep, with csbdeep's own defaults.

Weigert et al., Nat. Methods 15, 1090 (2018), doi:10.1038/s41592-018-0216-7. Use it in a process of its own: what it
sets holds for the whole process.
"""

import contextlib
import io
import time
import warnings

import deepr.networks  # noqa: F401  before TensorFlow, whose set-up it chooses
from deepr.tables import InputError

# csbdeep's own.
BATCH_SIZE = 16
# How often a training stops to validate: about as often as ours does in the demonstration.
EPOCHS = 25
TRIAL_STEPS = 3


def set_up(threads, seed=0):
    """Let TensorFlow compute with so many threads, and draw from the seed; before anything else.

    Raises
    ------
    InputError
        If csbdeep is not installed.
    """
    import keras
    import tensorflow as tf

    try:
        import csbdeep  # noqa: F401
    except ImportError as error:
        raise InputError(
            f"csbdeep: {error}; wanted what benchmarks/requirements.txt names, which make benchmark installs"
        ) from error
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    keras.utils.set_random_seed(seed)


def build(batch_size=BATCH_SIZE, folder=None):
    """Build a CARE network for grey images, ready for training: csbdeep.models.CARE.

    A U-Net of depth 2 with 32 filters of 5 x 5 px at first, whose output is added to its input; mean absolute error;
    Adam with 4e-4, halved where the validation stands still. Without a folder nothing is written.
    """
    from csbdeep.models import CARE, Config

    # TensorBoard, which csbdeep would use, is not installed and plays no part in the result.
    config = Config("YX", n_channel_in=1, n_channel_out=1, train_batch_size=batch_size, train_tensorboard=False)
    model = CARE(config, name=folder.name if folder else "CARE", basedir=str(folder.parent) if folder else None)
    model.prepare_for_training()
    return model


def load(folder):
    """Load a trained CARE network: its best weights."""
    from csbdeep.models import CARE

    # csbdeep prints which weights it takes.
    with contextlib.redirect_stdout(io.StringIO()):
        return CARE(config=None, name=folder.name, basedir=str(folder.parent))


def train(draw_pairs, least_pairs, validation, folder, batch_size, seconds):
    """Train a CARE network for so many seconds, which count from its first step on, as ours do.

    Parameters
    ----------
    draw_pairs : callable
        Gives for a number of pairs inputs and truths, (N, Y, X, 1) ndarray of float32 each.
    least_pairs : int
        So many are drawn even where the trial promises time for fewer.
    validation : tuple of ndarray
        Inputs and truths by which csbdeep chooses the best weights and halves its learning rate.
    folder : Path
        Gets csbdeep's files and what it prints, ``output.log``.
    batch_size : int
    seconds : float

    Returns
    -------
    dict
        seconds, updates, epochs, pairs drawn (beforehand, which takes no time of the training) and parameters.

    Notes
    -----
    Of csbdeep's defaults the length of an epoch alone is changed: one of 400 updates, after which it validates, would
    hardly end on a processor. Here an epoch is a 25th of the time, by a trial of a few updates.
    """
    import keras

    class StopInTime(keras.callbacks.Callback):
        updates = 0

        def on_train_begin(self, logs=None):
            self.started = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            self.updates += 1
            if time.perf_counter() - self.started >= seconds:
                self.model.stop_training = True

    folder.mkdir(parents=True)
    with open(folder / "output.log", "w", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        step_s, validation_s = _trial(draw_pairs(batch_size), validation, batch_size)
        steps = max(1, round((seconds / EPOCHS - validation_s) / step_s))
        # A quarter more than the trial promises, so that a pair is seldom seen twice.
        pairs = max(least_pairs, round(1.25 * batch_size * seconds / step_s))
        inputs, truths = draw_pairs(pairs)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="small number of validation images")
            warnings.filterwarnings("ignore", message="output path for model already exists")
            model = build(batch_size, folder)
            stop = StopInTime()
            model.callbacks.append(stop)
            started = time.perf_counter()
            # More epochs than there is time for: the callback ends it.
            history = model.train(inputs, truths, validation, epochs=10 * EPOCHS * steps, steps_per_epoch=steps)
            taken_s = time.perf_counter() - started
    return {
        "seconds": taken_s,
        "updates": stop.updates,
        "epochs": len(history.epoch),
        "pairs drawn": len(inputs),
        "parameters": model.keras_model.count_params(),
    }


def _trial(batch, validation, batch_size):
    """Give the least seconds of an update and the seconds of a validation, by a network of its own."""
    network = build(batch_size).keras_model
    steps = []
    for _ in range(1 + TRIAL_STEPS):
        started = time.perf_counter()
        network.train_on_batch(*batch)
        steps.append(time.perf_counter() - started)
    network.evaluate(*validation, verbose=0)
    started = time.perf_counter()
    network.evaluate(*validation, verbose=0)
    # The first update also builds the graph.
    return min(steps[1:]), time.perf_counter() - started
