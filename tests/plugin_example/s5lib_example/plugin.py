"""What this package registers with s5lib."""

from s5lib.plugins import Capabilities, ComponentSpec

CONV_TASNET = "Y. Luo and N. Mesgarani, Conv-TasNet: Surpassing ideal time-frequency magnitude masking, 2019"
SINKHORN = "M. Cuturi, Sinkhorn distances: Lightspeed computation of optimal transport, 2013"


def s5lib_separators():
    return [
        ComponentSpec(
            name="tcn",
            target="s5lib_example.models:TCNSeparator",
            config="s5lib_example.configs:TCNConfig",
            capabilities=Capabilities(max_sources=8),
            summary="temporal convolutional network in the time domain, queried by all labels at once",
            citation=CONV_TASNET,
        )
    ]


def s5lib_joint_models():
    return [
        ComponentSpec(
            name="tcn",
            target="s5lib_example.models:TCNJoint",
            config="s5lib_example.configs:TCNConfig",
            capabilities=Capabilities(max_sources=8),
            summary="temporal convolutional network in the time domain, a label for each slot",
            citation=CONV_TASNET,
        )
    ]


def s5lib_aligners():
    return [
        ComponentSpec(
            name="sinkhorn",
            target="s5lib_example.sinkhorn:Sinkhorn",
            capabilities=Capabilities(optimal=False),
            summary="entropy-regularised transport inside each class, rounded to an assignment",
            citation=SINKHORN,
        )
    ]
