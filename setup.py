"""Package metadata; the tools' settings are in pyproject.toml."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="pipelines",
    version="0.1.0",
    description="Define, prove, deploy and operate SageMaker Pipelines on bring-your-own processing containers",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_packages(include=["pipelines", "pipelines.*"]),
    package_data={
        "pipelines": ["py.typed"],
        "pipelines.spec": ["pipeline.schema.json"],
        "pipelines.local.stand_ins": ["*.txt"],
        "pipelines.scaffold": ["files/**/*.template"],
    },
    install_requires=[
        "sagemaker>=3.27,<4",
        "boto3>=1.44",
        "PyYAML>=6",
        "rich>=14",
        # The local SageMaker: moto serves what is not ours. flask, flask-cors and jsonpath-ng are what
        # moto's server, its EventBridge and its registry need of the far larger moto[server].
        "moto>=5.2,<6",
        "flask>=3",
        "flask-cors>=6",
        "jsonpath-ng>=1.6",
        # Timezones of schedules, where the machine has no database of them.
        "tzdata",
        # Builds the environment of a job's image from its own requirements, in seconds.
        "uv>=0.9",
    ],
    entry_points={
        "console_scripts": ["pipelines = pipelines.cli:main"],
        "pytest11": ["pipelines = pipelines.testing.plugin"],
    },
)
