"""Packaging of ewaste-edge: the core runs a line, the extras say what each further part needs."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
VERSION = re.search(r'^__version__ = "(.+)"$', (ROOT / "edge" / "__init__.py").read_text(), re.M)[1]

CORE = [
    # No wheels for 32-bit ARM: the extra `tflite-runtime` brings the older runtime there.
    "ai-edge-litert>=2.0; platform_machine != 'armv7l' and platform_machine != 'armv6l'",
    "numpy>=1.24",
    "opencv-python-headless>=4.8",
    # From 4.14 on, it shrinks pictures otherwise on ARM than everywhere else: up to two levels off,
    # in a third of all pixels.
    "opencv-python-headless<4.14; platform_machine == 'aarch64' or platform_machine == 'arm64'",
    "pillow>=10.1,<13",
    "pydantic>=2.6",
    "cryptography>=41",
    "typer>=0.19",
    "rich>=13",
    "tomli>=2; python_version < '3.11'",
]
PANEL = ["gradio>=6,<7", "jinja2>=3.1", "babel>=2.12", "prometheus-client>=0.20"]
GPIO = [
    "gpiozero>=2.0",
    # No wheels from 3.13 on; Raspberry Pi OS has it as python3-lgpio.
    "lgpio>=0.2.2; sys_platform == 'linux' and python_version < '3.13'",
]
MQTT = ["paho-mqtt>=2.0,<3"]
UPDATE = ["tuf>=7,<8"]
MODBUS = ["pymodbus>=3.10,<4"]
TFLITE_RUNTIME = [
    # It dies under numpy 2 although pip lets it in.
    "tflite-runtime>=2.14; python_version < '3.12'",
    "numpy<2",
]
TRAIN = [
    "tensorflow>=2.20",
    "tensorboard>=2.19",
    "h5py>=3.10",
    "scikit-learn>=1.4",
    "scipy>=1.10",
    "pandas>=2.1",
    "matplotlib>=3.8",
    "jinja2>=3.1",
    "flatbuffers>=24",
    "ai-edge-quantizer>=0.10",
]
TEACHER = ["onnxruntime>=1.17"]
KAGGLE = ["kagglehub>=0.3"]
MLFLOW = ["mlflow-skinny>=2.16", "sqlalchemy>=2", "alembic>=1.13"]
TUNE = ["optuna>=4"]
BENCHMARKS = ["psutil>=5.9"]
DEV = [
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-cov>=5",
    "hypothesis>=6.100",
    "ruff>=0.9",
    "mypy>=1.15",
    "import-linter>=2.0",
    "playwright>=1.45",
    "axe-playwright-python>=0.1.4",
    "gpiozero>=2.0",
    "onnx>=1.16",
    "nbclient>=0.10",
    "ipykernel>=6.29",
    "cyclonedx-python-lib[json-validation]>=9,<12",
    "pip-audit>=2.9",
]

setup(
    name="ewaste-edge",
    version=VERSION,
    description="An electronic-waste classifier on a recycling line, from photos to sorted items",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Environment :: No Input/Output (Daemon)",
        "Intended Audience :: Manufacturing",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Programming Language :: Python :: 3.14",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.10",
    # The device's part alone is installed; train, convert and benchmarks run from a checkout, which
    # an editable install puts on the path as a whole (that is what this package_dir does).
    packages=find_packages(include=["edge", "edge.*"]),
    package_dir={"": "."},
    package_data={
        "edge": [
            "py.typed",
            "models/*/*",
            "deploy/*",
            "deploy/locks/*",
            "panel/*.css",
            "panel/*.js",
            "panel/templates/*.html",
            "panel/locales/*/LC_MESSAGES/*.po",
            "bundle/*.schema.json",
            "simulator/scenarios/*.toml",
        ],
    },
    install_requires=CORE,
    extras_require={
        "panel": PANEL,
        "gpio": GPIO,
        "mqtt": MQTT,
        "modbus": MODBUS,
        "update": UPDATE,
        "tflite-runtime": TFLITE_RUNTIME,
        "train": TRAIN,
        "teacher": [*TRAIN, *TEACHER],
        "kaggle": KAGGLE,
        "mlflow": MLFLOW,
        "tune": [*TRAIN, *TUNE],
        "benchmarks": [*TRAIN, *BENCHMARKS],
        "dev": [
            *PANEL,
            *MQTT,
            *MODBUS,
            *UPDATE,
            *TRAIN,
            *TEACHER,
            *MLFLOW,
            *TUNE,
            *BENCHMARKS,
            *DEV,
        ],
    },
    entry_points={"console_scripts": ["ewaste-edge=edge.cli:main"]},
)
