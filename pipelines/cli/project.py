"""What commands work on: the pipeline.yaml, its environment, and AWS or the local SageMaker behind it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipelines.errors import UsageError
from pipelines.local.home import Home
from pipelines.spec import LOCAL, Spec, Target, load

if TYPE_CHECKING:
    from pipelines.aws import Gateway
    from pipelines.compile import Compiled
    from pipelines.deploy import Images, Site
    from pipelines.local.settings import Runner, Settings
    from pipelines.plan import Desired


@dataclass(frozen=True)
class Project:
    """A pipeline.yaml and the environment that a command names; parts are made when they are first needed."""

    file: Path
    environment: str
    profile: str = ""  # of AWS's configuration; the one in use if empty
    runner: Runner | Literal[""] | None = None  # that the command names; "" if it could and does not

    @classmethod
    def of(cls, given: argparse.Namespace) -> Project:
        file = given.file
        file = file / "pipeline.yaml" if file.is_dir() else file
        return cls(file, getattr(given, "env", LOCAL), runner=getattr(given, "runner", None))

    @property
    def home(self) -> Home:
        return Home(self.file.parent.resolve() / ".pipelines")

    @cached_property
    def spec(self) -> Spec:
        return load(self.file)

    @cached_property
    def target(self) -> Target:
        return self.spec.target(self.environment)

    @cached_property
    def compiled(self) -> Compiled:
        from pipelines.compile import compile_spec

        return compile_spec(self.spec, self.environment, cache=self.home.compiled)

    @cached_property
    def neutral(self) -> str:
        """The digest of the definition compiled for no environment: the same in all of them."""
        from pipelines.compile import compile_spec

        return compile_spec(self.spec, self.spec.neutral_target(), cache=self.home.compiled).definition.digest

    @cached_property
    def desired(self) -> Desired:
        """What pipeline.yaml asks for in the environment."""
        from pipelines.deploy import wanted

        return wanted(self.compiled, self.neutral, self.spec.pipeline, self.spec.folder)

    def site(self, report: Callable[[str], None], source: Project | None = None) -> Site:
        """Where a deployment takes place; `source` is the environment that is promoted."""
        from pipelines.deploy import Site

        return Site(self.gateway, self._images(source), self.spec.folder, report)

    @cached_property
    def gateway(self) -> Gateway:
        """AWS, by credentials of the right account, or the local SageMaker, which is started if need be."""
        from pipelines.aws import Endpoint, Gateway

        if not self.target.is_local:
            from pipelines.deploy import check_account

            gateway = Gateway(self.target, profile=self.profile)
            check_account(gateway)
            return gateway
        from pipelines.local.daemon import ensure

        self.settle()
        return Gateway(self.target, Endpoint(ensure(self.home, self.target.region).endpoint))

    def settings(self) -> Settings:
        """What is said of the local SageMaker: by pipeline.yaml, or in a folder without one by hand.

        Raises `SpecError` or `LocalError`.
        """
        from pipelines.local.settings import of_spec, read

        settings = of_spec(self.spec) if self.file.exists() else read(self.home)
        return replace(settings, runner=self.runner or settings.runner)

    def settle(self) -> None:
        """Tell the local SageMaker, if the command starts jobs. What was written by hand stays, but for the runner."""
        from pipelines.local.settings import write

        if self.runner is not None and (self.runner or self.file.exists()):
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
        file = "" if self.file == Path("pipeline.yaml") else f" -f {shlex.quote(str(self.file))}"
        env = "" if self.target.is_local else f" --env {self.environment}"
        return f"pipelines {words}{file}{env}"


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
