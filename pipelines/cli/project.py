"""What commands work on: a pipeline.yaml or a definition from elsewhere, its environment, and the AWS behind it.

A definition from elsewhere (`pipelines/elsewhere.py`) has the local environment alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.cli.suggested import command_line
from pipelines.errors import Mend, UsageError
from pipelines.local.home import Home
from pipelines.spec import LOCAL, Spec, Target, load, local_target

if TYPE_CHECKING:
    from pipelines.aws import Gateway
    from pipelines.compile import Compiled
    from pipelines.definition import Definition
    from pipelines.deploy import Images, Site
    from pipelines.elsewhere import Elsewhere
    from pipelines.local.settings import Runner, Settings
    from pipelines.plan import Desired


@dataclass(frozen=True)
class Project:
    """What a command names: a pipeline.yaml and an environment, say; parts are made when they are first needed."""

    file: Path
    environment: str
    name: str = ""  # of the pipeline, where the command gives it
    profile: str = ""  # of AWS's configuration; the one in use if empty
    runner: Runner | Literal[""] | None = None  # that the command names; "" if it could and does not

    @classmethod
    def of(cls, given: argparse.Namespace) -> Project:
        file = given.file
        file = file / "pipeline.yaml" if file.is_dir() else file
        name = getattr(given, "name", "")
        project = cls(file, getattr(given, "env", LOCAL), name, runner=getattr(given, "runner", None))
        if name and not given.live and not project.is_elsewhere:
            fix = f"leave it out, or change {file}; it is for what is deployed, for .json files and functions"
            raise UsageError("the name of a pipeline.yaml's pipeline stands in it", where="--name", fix=fix)
        return project

    @property
    def is_elsewhere(self) -> bool:
        from pipelines.elsewhere import is_elsewhere

        return is_elsewhere(self.file)

    @cached_property
    def elsewhere(self) -> Elsewhere:
        """The definition of a file or a function; reading it may start the local SageMaker."""
        from pipelines.elsewhere import read

        return read(self.file, self.name, local_target(), lambda: self._local_endpoint)

    @property
    def is_another(self) -> bool:
        """Whether it is a pipeline of which no file here is known: it is deployed, and FILE says another one."""
        return bool(self.name) and not self.is_elsewhere

    @property
    def home(self) -> Home:
        return Home(self.file.parent.resolve() / ".pipelines")

    @cached_property
    def spec(self) -> Spec:
        return load(self.file)

    @cached_property
    def pipeline(self) -> str:
        """The pipeline's name."""
        return self.name or (self.elsewhere.pipeline if self.is_elsewhere else self.spec.pipeline.name)

    @cached_property
    def target(self) -> Target:
        if self.is_elsewhere and self.environment != LOCAL:
            what = "a definition that no pipeline.yaml says has no environment but local"
            fix = "leave out --env; for what is deployed there: -f PIPELINE.YAML --name PIPELINE"
            raise UsageError(what, where=f"--env {self.environment}", fix=fix)
        if self.is_elsewhere or (self.name and self.environment == LOCAL and not self.file.exists()):
            return replace(local_target(), prefix=self.pipeline)
        return self.spec.target(self.environment)

    @cached_property
    def compiled(self) -> Compiled:
        from pipelines.compile import Compiled, compile_spec

        if self.is_elsewhere:
            return Compiled(self.elsewhere.definition, self.target, uploads=(), images=())
        return compile_spec(self.spec, self.environment, cache=self.home.compiled)

    @cached_property
    def neutral(self) -> str:
        """The digest of the definition compiled for no environment: the same in all of them."""
        from pipelines.compile import compile_spec

        if self.is_elsewhere:
            return self.elsewhere.definition.digest
        return compile_spec(self.spec, self.spec.neutral_target(), cache=self.home.compiled).definition.digest

    @cached_property
    def desired(self) -> Desired:
        """What pipeline.yaml asks for in the environment; of a definition from elsewhere, itself."""
        from pipelines.deploy import wanted
        from pipelines.plan import bare

        if self.is_elsewhere:
            return bare(self.pipeline, self.target, self.elsewhere.definition)
        return wanted(self.compiled, self.neutral, self.spec.pipeline, self.spec.folder)

    @cached_property
    def live(self) -> Definition:
        """The definition that is deployed. Raises `UsageError` when none is."""
        from pipelines.definition import parse

        there = self.gateway.pipeline(self.pipeline)
        if there is None:
            raise self.not_deployed()
        return parse(there["PipelineDefinition"], where=f"pipeline {self.pipeline}")

    def not_deployed(self) -> UsageError:
        what, where = f"pipeline {self.pipeline} is not deployed", f"environment {self.environment}"
        return UsageError(what, where=where, fix=Mend("", "deploy"))

    def site(self, report: Callable[[str], None], source: Project | None = None) -> Site:
        """Where a deployment takes place; `source` is the environment that is promoted."""
        from pipelines.deploy import Site

        return Site(self.gateway, self._images(source), self.file.parent, report)

    @cached_property
    def gateway(self) -> Gateway:
        """AWS, by credentials of the right account, or the local SageMaker, which is started if need be."""
        from pipelines.aws import Endpoint, Gateway

        if not self.target.is_local:
            from pipelines.deploy import check_account

            gateway = Gateway(self.target, profile=self.profile)
            check_account(gateway)
            return gateway
        self.settle()
        return Gateway(self.target, Endpoint(self._local_endpoint))

    @cached_property
    def _local_endpoint(self) -> str:
        from pipelines.local.daemon import ensure

        return ensure(self.home, local_target().region if self.is_elsewhere else self.target.region).endpoint

    @property
    def _has_spec(self) -> bool:
        return not self.is_elsewhere and self.file.exists()

    def settings(self) -> Settings:
        """What is said of the local SageMaker: by pipeline.yaml, or in a folder without one by hand.

        Raises `SpecError` or `LocalError`.
        """
        from pipelines.local.settings import of_spec, read

        settings = of_spec(self.spec) if self._has_spec else read(self.home)
        return replace(settings, runner=self.runner or settings.runner)

    def settle(self) -> None:
        """Tell the local SageMaker, if the command starts jobs. What was written by hand stays, but for the runner."""
        from pipelines.local.settings import write

        if self.runner is not None and (self.runner or self._has_spec):
            write(self.home, self.settings())

    def _images(self, source: Project | None) -> Images:
        from pipelines.images import ecr_images
        from pipelines.local.images import LocalImages

        return (
            LocalImages(self.home)
            if self.target.is_local
            else ecr_images(self.gateway, source.gateway if source else None)
        )

    def readable(self, uri: str) -> str:
        """An S3 URI or, where objects are plain files, the path of the file or folder."""
        if not self.target.is_local:
            return uri
        path = self.home.objects / uri.removeprefix("s3://")
        here = Path.cwd()
        return str(path.relative_to(here) if path.is_relative_to(here) else path)

    def command(self, words: str) -> str:
        """A command of ours as the user would type it for this project and environment."""
        return command_line(words, self.file, self.environment, self.name)


def parse_parameters(texts: list[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping. Raises `UsageError`."""
    values: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"{text!r} is not NAME=VALUE", where="-p", fix=f"write -p {name or 'NAME'}=VALUE")
        if name in values:
            raise UsageError(f"the parameter {name!r} is given twice", where="-p", fix="leave one of them out")
        values[name] = value
    return values
