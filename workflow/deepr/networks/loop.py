"""The loop of the trainings that follow Deep-R's: a stopped one goes on to the same result."""

import logging
import math
import time

import numpy as np

from deepr.networks.optimizers import learning_rate_factor
from deepr.runtime import progress

log = logging.getLogger(__name__)


def run_training(networks, pairs, validation, plan, checkpoint, columns, criterion):
    """Train for the planned iterations, from the checkpoint if there is one.

    Parameters
    ----------
    networks : object
        Has ``model``, the Keras model whose best weights are wanted, ``train_on_batch`` and ``validate``,
        which give losses by name, ``set_learning_rates``, ``learning_rate``, ``variables`` and ``restore``.
    pairs : object
        ``batches(start, stop)`` yields the arguments of ``train_on_batch``, batch k always the same ones.
    validation : tuple
        Arguments of ``validate``.
    plan : dict
        iterations, batches_per_iteration, learning_rate_schedule, warmup_fraction, validation_interval,
        checkpoint_interval.
    checkpoint : deepr.networks.checkpoints.Checkpoint
    columns : sequence of str
        The history's, with iteration, seconds, learning_rate, best and the losses.
    criterion : str
        Loss of ``validate`` by whose smallest value the best weights are chosen.

    Returns
    -------
    dict
        weights, score (of the criterion) and iteration of the best, and seconds in all.

    Raises
    ------
    FloatingPointError
        If a loss is no longer finite.
    """
    arrays, done = checkpoint.load()
    best = {"weights": None, "score": math.inf, "iteration": None}
    first, seconds = 0, 0.0
    if arrays is not None:
        networks.restore(arrays)
        first, seconds = done["iteration"], done["seconds"]
        if arrays["best"]:
            best = {"weights": arrays["best"], "score": done["best_score"], "iteration": done["best_iteration"]}
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
                f"a loss is not finite at iteration {iteration + 1}: {row}; wanted a smaller learning rate than "
                f"{networks.learning_rate:g}"
            )
        number = iteration + 1
        last = number == plan["iterations"]
        is_best = False
        if number % plan["validation_interval"] == 0 or last:
            row |= networks.validate(*validation)
            is_best = row[criterion] < best["score"]
            if is_best:
                best = {"weights": networks.model.get_weights(), "score": row[criterion], "iteration": number}
        seconds = time.perf_counter() - started
        row |= {"iteration": number, "seconds": round(seconds, 3), "best": is_best}
        row["learning_rate"] = networks.learning_rate
        checkpoint.append({column: row.get(column, math.nan) for column in columns})
        bar.set_postfix(best=f"{best['score']:.4f}", refresh=False)
        if number % plan["checkpoint_interval"] == 0 or last:
            checkpoint.save(
                {**networks.variables(), "best": best["weights"] or []},
                {
                    "iteration": number,
                    "seconds": seconds,
                    "best_score": best["score"] if best["weights"] else None,
                    "best_iteration": best["iteration"],
                },
            )
    batches.close()
    checkpoint.close()
    if best["weights"] is None:
        raise FloatingPointError(f"no validation gave a finite {criterion}; wanted a smaller learning rate")
    return {**best, "seconds": round(seconds, 3)}
