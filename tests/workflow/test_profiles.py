"""The profile for Slurm names rules that exist, and its groups can be planned."""

import re

import pytest
import yaml

pytestmark = pytest.mark.workflow

CONFIGS = ["config/config.yaml", "tests/config/config.yaml"]


@pytest.fixture(scope="module")
def profiles(repository):
    """The profiles of the repository by name."""
    paths = (repository / "profiles").glob("*/config.yaml")
    return {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in paths}


@pytest.fixture(scope="module")
def rules(snakemake, tmp_path_factory):
    """Names of all rules, those that are only targets included."""
    code, output = snakemake(tmp_path_factory.mktemp("rules"), "--list-rules")
    assert code == 0, output
    return set(re.findall(r"^\w+$", output, re.M))


def commented(repository):
    """Read the lines of the Slurm profile that a site may take out of comments, as if it had."""
    text = (repository / "profiles/slurm/config.yaml").read_text(encoding="utf-8")
    return re.findall(r"^ +# (\w+):$", text, re.M)


def test_every_named_rule_exists(repository, profiles, rules):
    """Groups, resources and threads, commented ones included, are of rules of the workflow."""
    profile = profiles["slurm"]
    named = {*profile["groups"], *profile["set-resources"], *commented(repository)}
    assert {"train_network", "draw_figure_2"} <= named
    assert named <= rules


def test_every_grouped_name_is_a_group(profiles):
    """How many jobs go together is said of groups that there are."""
    profile = profiles["slurm"]
    assert set(profile["group-components"]) <= set(profile["groups"].values())


def test_every_figure_is_drawn_in_a_group(profiles, rules):
    """No rule that draws or tabulates a figure or table makes a job of its own."""
    short = {name for name in rules if name.startswith(("draw_", "tabulate_"))}
    assert len(short) > 20
    assert short <= set(profiles["slurm"]["groups"])


def test_reruns_are_decided_alike_by_all_profiles(profiles):
    """A run that is continued through Slurm makes nothing again for the profile's sake."""
    for key in ("rerun-triggers", "rerun-incomplete"):
        assert profiles["slurm"][key] == profiles["default"][key]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_groups_can_be_planned(snakemake, repository, profiles, tmp_path, config):
    """No group waits for itself: Snakemake accepts the groups, and all targets."""
    profile = profiles["slurm"]
    groups = [f"{rule}={group}" for rule, group in profile["groups"].items()]
    sizes = [f"{group}={size}" for group, size in profile["group-components"].items()]
    code, output = snakemake(
        *(tmp_path, "--configfile", repository / config, "--dry-run", "--groups", *groups),
        *("--group-components", *sizes, "--", "all", "results/report.html"),
    )
    assert code == 0, output
    in_groups = re.findall(r"Group job (\w+) ", output)
    assert set(in_groups) == set(profile["groups"].values())
