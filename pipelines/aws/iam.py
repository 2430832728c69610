"""Roles, as IAM has them."""

from __future__ import annotations

from pipelines.aws.session import Json, Session


class Roles(Session):
    """What roles trust and may do."""

    def role_trust(self, arn: str) -> Json:
        """The trust policy of a role. Raises `AwsError`, NoSuchEntity when there is none."""
        with self._translated(f"read role {arn}"):
            answer = self._client("iam").get_role(RoleName=arn.rpartition("/")[2])
        return dict(answer["Role"]["AssumeRolePolicyDocument"])

    def denied_actions(self, role: str, actions: list[str], resource: str) -> list[str]:
        """Which of these actions on a resource a role may not take, as IAM works it out."""
        request = {"PolicySourceArn": role, "ActionNames": actions, "ResourceArns": [resource]}
        action = f"work out what role {role} may do"
        found = self._items("iam", "simulate_principal_policy", "EvaluationResults", action, **request)
        return [item["EvalActionName"] for item in found if item["EvalDecision"] != "allowed"]
