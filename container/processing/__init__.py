"""The programs of the image: features, train, evaluate.

They know SageMaker's container contract (contract.py) and nothing of the package that deploys them.
"""
