"""Images in ECR, in the registry of the environment's account and region."""

from __future__ import annotations

from pipelines.aws.errors import LATER, refused
from pipelines.aws.session import Json, Session
from pipelines.errors import AwsError

_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


class Images(Session):
    """The registry's repositories and images."""

    def manifest(self, repository: str, tag: str) -> tuple[str, str] | None:
        """The digest and the manifest's text of the image of that tag, or None."""
        for image in self._images(repository, tag) or ():
            return str(image["imageId"]["imageDigest"]), str(image["imageManifest"])
        return None

    def has_repository(self, name: str) -> bool:
        """Asked as for an image, so that who may only plan needs no other permission."""
        return self._images(name, "latest") is not None

    def _images(self, repository: str, tag: str) -> list[Json] | None:
        """The images of that tag; None when there is no such repository."""
        request = {"imageIds": [{"imageTag": tag}], "acceptedMediaTypes": list(_MANIFESTS)}
        try:
            with self._translated(f"look for image {repository}:{tag}"):
                answer = self._client("ecr").batch_get_image(repositoryName=repository, **request)
        except AwsError as error:
            if error.code == "RepositoryNotFoundException":
                return None
            raise
        return list(answer.get("images", []))

    def blob(self, repository: str, digest: str) -> bytes:
        """A blob of a repository's, such as an image's configuration; not for layers, which are large."""
        with self._translated(f"read {digest} of repository {repository}"):
            answer = self._client("ecr").get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
            response = self._get(answer["downloadUrl"])
        if response.status_code != 200:
            code = str(response.status_code)
            action = f"read {digest} of repository {repository}"
            raise refused(action, f"HTTP {code}", self.target, code=code, fix=LATER)
        return bytes(response.content)

    def ensure_repository(self, name: str) -> bool:
        """Create a repository that is not there: scanned on push, its tags immutable. False: its tags can be moved."""
        described = self._repository(name)
        if described is None:
            try:
                with self._translated(f"create repository {name}"):
                    self._client("ecr").create_repository(
                        repositoryName=name,
                        imageTagMutability="IMMUTABLE",
                        imageScanningConfiguration={"scanOnPush": True},
                    )
                return True
            except AwsError as error:
                if error.code != "RepositoryAlreadyExistsException":  # else somebody was faster
                    raise
            described = self._repository(name) or {}
        return str(described.get("imageTagMutability", "")).startswith("IMMUTABLE")

    def _repository(self, name: str) -> Json | None:
        try:
            with self._translated(f"describe repository {name}"):
                return dict(self._client("ecr").describe_repositories(repositoryNames=[name])["repositories"][0])
        except AwsError as error:
            if error.code == "RepositoryNotFoundException":
                return None
            raise

    def registry_token(self) -> str:
        """What a registry takes as Basic authorization, for twelve hours. It is a secret."""
        with self._translated("ask for access to the registry"):
            return str(self._client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"])
