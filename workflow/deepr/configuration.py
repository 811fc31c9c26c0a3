"""The run's config: checked before anything is planned, its gaps filled with the schema's defaults."""

import difflib
import math
from pathlib import Path

import numpy as np
import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.validators import extend

from deepr.tables import InputError

# Sources of a data set that bring the public images of BBBC006.
PUBLIC = ("download", "files")

# Settings of a training that change no number of it.
SETTINGS_WITHOUT_RESULT = ("checkpoint_interval",)

SCHEMA = Path(__file__).resolve().parent / "schemas" / "config.schema.yaml"


def complete_config(config, schema_path=SCHEMA):
    """Check a config against the schema and fill in the defaults, in place.

    Parameters
    ----------
    config : dict
        As read from YAML; missing keys take the schema's defaults.
    schema_path : Path
        JSON schema, written in YAML.

    Returns
    -------
    dict
        The same object, complete.

    Raises
    ------
    InputError
        For an unknown key or a value of the wrong kind, or a number that is not finite: one sentence with the key,
        the value found and the one wanted.
    """
    schema = yaml.safe_load(Path(schema_path).read_text(encoding="utf-8"))
    error = best_match(_FillingValidator(schema).iter_errors(config))
    if error is not None:
        raise InputError(_sentence(error))
    for key, value in _leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"config: {key} is {value}; wanted a finite number")
    return config


def _leaves(value, key=""):
    """Yield every value of a nested config that holds no others, with its key."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if inner is None:
        yield key, value
    else:
        for name, part in inner:
            yield from _leaves(part, f"{key}.{name}" if key else str(name))


def planes_um(z_um):
    """Give the planes of a z range of the config.

    Parameters
    ----------
    z_um : dict
        ``start``, ``stop`` and ``step`` in um, both ends included; where ``fine_within`` is not 0, the planes
        at most so far from 0 are ``fine_step`` apart.

    Returns
    -------
    (Z,) ndarray of float
        Heights in um, rounded to a nanometre so that equal planes are equal numbers.
    """
    planes = _span_um(z_um["start"], z_um["stop"], z_um["step"])
    within = z_um["fine_within"]
    if within:
        fine = _span_um(max(-within, z_um["start"]), min(within, z_um["stop"]), z_um["fine_step"])
        planes = np.union1d(planes, fine)
    return planes


def _span_um(start, stop, step):
    return np.round(start + step * np.arange(round((stop - start) / step) + 1), 3)


def training_settings(config, row):
    """Give all settings that the result of a network's training depends on.

    Parameters
    ----------
    config : dict
        Completed config.
    row : mapping
        The network's row of the sheet.

    Returns
    -------
    dict
        The config's section ``training``; above it what the section of the network's kind says, if there is one; above
        both the row's ``iterations`` and ``crop_px``, where they are not 0.
    """
    without = (*SETTINGS_WITHOUT_RESULT, *(["precision"] if row["kind"] == "decoder" else []))  # it is always float32
    general = {key: value for key, value in config["training"].items() if key not in without}
    own = {key: int(row[key]) for key in ("iterations", "crop_px") if row[key] > 0}
    return general | config.get(row["kind"], {}) | own


def _set_defaults(validator, properties, instance, schema):
    if isinstance(instance, dict):
        for key, subschema in properties.items():
            if "default" in subschema:
                instance.setdefault(key, yaml.safe_load(yaml.safe_dump(subschema["default"])))
    yield from Draft202012Validator.VALIDATORS["properties"](validator, properties, instance, schema)


_FillingValidator = extend(Draft202012Validator, {"properties": _set_defaults})


def _sentence(error):
    """Say in one sentence which key is wrong, what was found and what is wanted."""
    key = ".".join(str(part) for part in error.absolute_path) or "the top level"
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(error.schema.get("properties", {}))
        unknown = next(name for name in error.instance if name not in known)
        near = difflib.get_close_matches(str(unknown), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"wanted one of {', '.join(known)}"
        return f"config: unknown key '{unknown}' at {key}; {hint}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        present = error.instance.get("source")
        reason = f" where source is '{present}'" if present else ""
        return f"config: {key} has no '{missing}'; wanted a value for it{reason}"
    if error.validator == "pattern" and "[A-Za-z][" in error.validator_value:
        return f"config: {key} has a '{error.instance}'; wanted names of letters, digits and _ that begin with a letter"
    wanted = {
        "type": "keys of its own below it (is the indentation right?)"
        if error.validator_value == "object"
        else f"a value of type {error.validator_value}",
        "enum": f"one of {', '.join(map(str, error.validator_value))}" if error.validator == "enum" else "",
        "minimum": f"at least {error.validator_value}",
        "maximum": f"at most {error.validator_value}",
        "exclusiveMinimum": f"more than {error.validator_value}",
        "exclusiveMaximum": f"less than {error.validator_value}",
        "multipleOf": f"a multiple of {error.validator_value}",
        "pattern": f"text matching {error.validator_value}",
    }.get(error.validator, error.message)
    return f"config: {key} is {error.instance!r}; wanted {wanted}"
