"""The same numbers in every run: how many threads compute, and in which order they sum."""

import tensorflow as tf


def fix_threads(threads):
    """Let TensorFlow compute with so many threads, and reproducibly; before its first operation.

    Raises
    ------
    RuntimeError
        If it has already started with another number in this process.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError as error:
        running = tf.config.threading.get_intra_op_parallelism_threads() or "its own choice of"
        raise RuntimeError(
            f"{threads} threads are wanted, but TensorFlow already runs with {running} threads in this process; "
            f"wanted a process of its own"
        ) from error
    tf.config.experimental.enable_op_determinism()
