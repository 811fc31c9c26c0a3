"""Random numbers that belong to a name: the same in every process and order of calls."""

import hashlib

import numpy as np


def random_generator(seed, *names):
    """Give the random generator that belongs to a name, the same in every process and order of calls.

    Parameters
    ----------
    seed : int
        Seed of the whole run, from the config.
    *names : str or int
        What the numbers are for, for example data set, slide and field.

    Returns
    -------
    numpy.random.Generator
    """
    digest = hashlib.sha256("\x1f".join(str(name) for name in names).encode()).digest()
    words = np.frombuffer(digest, dtype="<u4").tolist()
    return np.random.default_rng([int(seed), *words])
