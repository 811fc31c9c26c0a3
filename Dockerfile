FROM condaforge/miniforge3:latest
LABEL io.github.snakemake.containerized="true"
LABEL io.github.snakemake.conda_env_hash="9de3160f366f8e29fd5550e7020a8601fce0215a6f6cc1a2ff8850069b168dd0"
# Conda environment:
#   source: envs/export.yaml
#   prefix: /conda-envs/361970e533e37c13682e96ec9892f8d3
#   # Packages of trained networks for other programs.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python =3.11
#     - bioimageio.spec =0.5.14.3
#     - imagecodecs =2026.3.6
#     - keras =3.15.1
#     - numpy =2.4.6
#     - onnx =1.23.2
#     - pandas =3.1.1
#     - pydantic =2.14.3
#     - scikit-image =0.26.0
#     - tensorflow =2.21.0
#     - tifffile =2026.3.3
RUN mkdir -p /conda-envs/361970e533e37c13682e96ec9892f8d3
COPY envs/export.yaml /conda-envs/361970e533e37c13682e96ec9892f8d3/environment.yaml
# Conda environment:
#   source: envs/figures.yaml
#   prefix: /conda-envs/a690b28555505363819e5149e3fde077
#   # Figures, tables and the scorecard.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python =3.11
#     - jinja2 =3.1.6
#     - markdown-it-py =4.3.0
#     - matplotlib-base =3.11.2
#     - numpy =2.4.6
#     - pandas =3.1.1
#     - pillow =13.0.0
#     - scikit-image =0.26.0
#     - scipy =1.17.1
#     - tifffile =2026.3.3
RUN mkdir -p /conda-envs/a690b28555505363819e5149e3fde077
COPY envs/figures.yaml /conda-envs/a690b28555505363819e5149e3fde077/environment.yaml
# Conda environment:
#   source: envs/imaging.yaml
#   prefix: /conda-envs/746c8593b75e8c6cbf04bba1f0fb312c
#   # Acquisition, alignment, extended depth of field, focus planes, manifests.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python =3.11
#     - imagecodecs =2026.3.6
#     - numpy =2.4.6
#     - pandas =3.1.1
#     - pystackreg =0.2.8
#     - scikit-image =0.26.0
#     - scipy =1.17.1
#     - threadpoolctl =3.8.0
#     - tifffile =2026.3.3
#     - tqdm =4.70.1
RUN mkdir -p /conda-envs/746c8593b75e8c6cbf04bba1f0fb312c
COPY envs/imaging.yaml /conda-envs/746c8593b75e8c6cbf04bba1f0fb312c/environment.yaml
# Conda environment:
#   source: envs/networks.yaml
#   prefix: /conda-envs/857ca4bd4d7f7f4e0b88d77a5ec9c599
#   # Training and testing of the networks.
#   channels:
#     - conda-forge
#     - nodefaults
#   dependencies:
#     - python =3.11
#     - keras =3.15.1
#     - numpy =2.4.6
#     - pandas =3.1.1
#     - pystackreg =0.2.8
#     - scikit-image =0.26.0
#     - scipy =1.17.1
#     - tensorflow =2.21.0
#     - threadpoolctl =3.8.0
#     - tifffile =2026.3.3
#     - tqdm =4.70.1
RUN mkdir -p /conda-envs/857ca4bd4d7f7f4e0b88d77a5ec9c599
COPY envs/networks.yaml /conda-envs/857ca4bd4d7f7f4e0b88d77a5ec9c599/environment.yaml

RUN conda env create --prefix /conda-envs/361970e533e37c13682e96ec9892f8d3 --file /conda-envs/361970e533e37c13682e96ec9892f8d3/environment.yaml && \
    conda env create --prefix /conda-envs/a690b28555505363819e5149e3fde077 --file /conda-envs/a690b28555505363819e5149e3fde077/environment.yaml && \
    conda env create --prefix /conda-envs/746c8593b75e8c6cbf04bba1f0fb312c --file /conda-envs/746c8593b75e8c6cbf04bba1f0fb312c/environment.yaml && \
    conda env create --prefix /conda-envs/857ca4bd4d7f7f4e0b88d77a5ec9c599 --file /conda-envs/857ca4bd4d7f7f4e0b88d77a5ec9c599/environment.yaml && \
    conda clean --all -y
