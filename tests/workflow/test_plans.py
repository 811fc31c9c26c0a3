"""Every target of every shipped config can be planned, and no config plans another's data sets."""

import re

import pytest
import yaml

CONFIGS = ["config/config.yaml", "config/paper.yaml", "tests/config/config.yaml"]
TARGETS = [
    *("all", "figures", "tables", "networks", "manifests", "ovary_5", "results/report.html"),
    "results/networks/ovary_5/ovary_5.zip",
    *(f"fig{number}" for number in range(1, 9)),
    *(f"figS{number}" for number in range(1, 10)),
    *("figTransfer", "tableS1", "tableS2"),
]

pytestmark = pytest.mark.workflow


def planned(output):
    """Read the table of planned jobs."""
    rows = re.findall(r"^(\w+) +(\d+)$", output, re.M)
    return {name: int(count) for name, count in rows}


@pytest.mark.parametrize("config", CONFIGS)
def test_all_targets_can_be_planned(snakemake, repository, tmp_path, config):
    """One dry run asks for every target at once."""
    code, output = snakemake(
        tmp_path, "--configfile", repository / config, "--dry-run", "--quiet", "rules", "--", *TARGETS
    )
    assert code == 0, output


def test_a_figure_needs_only_its_own_data(snakemake, tmp_path):
    """Figure 2 plans the ovary slides and one network, and nothing of the breast."""
    code, output = snakemake(tmp_path, "--dry-run", "--", "fig2")
    assert code == 0, output
    jobs = planned(output)
    assert jobs["train_network"] == 1
    assert "results/breast" not in output


def test_the_default_is_the_demonstration(snakemake, repository, tmp_path):
    """Without a config file the demonstration is planned, from any working directory."""
    code, default = snakemake(tmp_path, "--dry-run")
    assert code == 0, default
    code, named = snakemake(tmp_path, "--configfile", repository / "config/config.yaml", "--dry-run")
    assert code == 0, named
    assert planned(default) == planned(named)


def test_a_value_on_the_command_line_changes_the_default(snakemake, tmp_path):
    """--config alone keeps the demonstration."""
    code, output = snakemake(tmp_path, "--config", "seed=7", "--dry-run", "--", "fig2")
    assert code == 0, output
    assert planned(output)["train_network"] == 1


def test_a_scale_plans_no_other_scales_data(snakemake, repository, tmp_path):
    """A config with one data set plans that one alone."""
    config = yaml.safe_load((repository / "tests/config/config.yaml").read_text())
    config["datasets"] = {"ovary": config["datasets"]["ovary"]}
    (tmp_path / "networks.tsv").write_text("name\tkind\tdatasets\trange_um\tstart_from\novary_5\tdeepr\tovary\t5\t\n")
    config["networks"] = "networks.tsv"
    (tmp_path / "one.yaml").write_text(yaml.safe_dump(config))
    code, output = snakemake(tmp_path, "--configfile", tmp_path / "one.yaml", "--dry-run")
    assert code == 0, output
    assert "breast" not in output
    assert planned(output)["acquire_slide"] == 2


def test_the_catalog_entry_plans_the_same(snakemake, repository, tmp_path):
    """workflow/Snakefile stands for the Snakefile at the root."""
    code, root = snakemake(tmp_path, "--dry-run", "--", "fig2")
    assert code == 0, root
    code, inner = snakemake(tmp_path, "--snakefile", repository / "workflow/Snakefile", "--dry-run", "--", "fig2")
    assert code == 0, inner
    assert planned(root) == planned(inner)


@pytest.mark.parametrize("source", ["download", "files"])
def test_bbbc006_can_be_planned_in_place_of_the_simulated_cells(snakemake, repository, tmp_path, source):
    """The same data set names, other sources: slides are fetched, and nothing after that differs."""
    config = yaml.safe_load((repository / "tests/config/config.yaml").read_text())
    config["datasets"] = {
        name: {
            **{"source": source, "archive": "bbbc006", "channel": channel, "patch_px": 256},
            **{"wells": {"training": 10, "test": 2}, "wells_per_slide": 4},
            **({"folder": "downloaded"} if source == "files" else {}),
        }
        for name, channel in [("nuclei", "hoechst"), ("phalloidin", "phalloidin")]
    }
    (tmp_path / "networks.tsv").write_text(
        "name\tkind\tdatasets\trange_um\tstart_from\nmixed_10\tdeepr\tnuclei,phalloidin\t10\t\n"
    )
    config["networks"] = "networks.tsv"
    (tmp_path / "public.yaml").write_text(yaml.safe_dump(config))
    code, output = snakemake(tmp_path, "--configfile", tmp_path / "public.yaml", "--dry-run")
    assert code == 0, output
    missing = "datasets.nuclei.folder is downloaded: found neither BBBC006_v1_images_z_08.zip nor a folder"
    assert (missing in output) == (source == "files")
    jobs = planned(output)
    assert jobs["fetch_slide"] == jobs["align_slide"] == 8
    assert "acquire_slide" not in jobs and jobs["train_network"] == 1
