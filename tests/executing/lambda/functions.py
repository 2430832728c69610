"""The Lambda functions of the feature."""


def double(event, context):
    if event["number"] < 0:
        raise ValueError("it is negative")
    return {"statusCode": 200, "doubled": event["number"] * 2}
