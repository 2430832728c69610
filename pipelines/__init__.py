"""SageMaker Pipelines on bring-your-own processing containers: define, prove, deploy and operate them."""
