"""Packaging of ewaste-edge; the extras say what each part needs."""

from pathlib import Path

from setuptools import find_packages, setup

DEVICE = [
    "numpy>=1.24",
    "opencv-python-headless>=4.8",
    "pillow>=10.1,<13",
    "pydantic>=2.6",
    "cryptography>=41",
    "typer>=0.19",
    "rich>=13",
    "tomli>=2; python_version < '3.11'",
    "gradio>=6,<7",
    "jinja2>=3.1",
]

EDGE = ["ai-edge-litert>=2.0", *DEVICE]
PI = ["picamera2>=0.3.30", "gpiozero>=2.0", "lgpio>=0.2.2"]
MQTT = ["paho-mqtt>=2.0,<3"]
MODBUS = ["pymodbus>=3.10,<4"]
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
KAGGLE = ["kagglehub>=0.3"]
MLFLOW = ["mlflow-skinny>=2.16", "sqlalchemy>=2", "alembic>=1.13"]
TUNE = ["optuna>=4"]
BENCHMARKS = [*EDGE, *TRAIN, "psutil>=5.9"]
DEV = [
    "pytest>=8",
    "hypothesis>=6.100",
    "ruff>=0.9",
    "mypy>=1.15",
    "import-linter>=2.0",
    "playwright>=1.45",
    "gpiozero>=2.0",
    "psutil>=5.9",
    "nbclient>=0.10",
    "ipykernel>=6.29",
]

setup(
    name="ewaste-edge",
    version="0.1.0",
    description="An electronic-waste classifier on a recycling line, from photos to sorted items",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10",
    packages=find_packages(include=["edge*", "train*", "convert*", "benchmarks*"]),
    package_data={
        "edge": [
            "models/*/*",
            "deploy/*",
            "panel/*.css",
            "panel/*.js",
            "panel/templates/*.html",
            "bundle/*.schema.json",
            "simulator/scenarios/*.toml",
        ],
        "train": ["*.html", "evaluation/*.html"],
        "convert": ["proof/*.html"],
    },
    extras_require={
        "edge": EDGE,
        # The older runtime for CPython <= 3.11; it dies under numpy 2 although pip lets it in.
        "tflite-runtime": [
            "tflite-runtime>=2.14; python_version < '3.12'",
            "numpy<2",
            *DEVICE,
        ],
        "pi": PI,
        "mqtt": MQTT,
        "modbus": MODBUS,
        "train": [*EDGE, *TRAIN],
        "kaggle": KAGGLE,
        "mlflow": MLFLOW,
        "tune": [*EDGE, *TRAIN, *TUNE],
        "benchmarks": BENCHMARKS,
        "dev": [*EDGE, *MQTT, *MODBUS, *TRAIN, *MLFLOW, *TUNE, *DEV],
    },
    entry_points={"console_scripts": ["ewaste-edge=edge.cli:main"]},
)
